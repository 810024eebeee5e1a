//! `/containerLogs/NAMESPACE/POD/CONTAINER`: the log file, cut and followed as asked.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufRead, Read, Seek};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::attend::{self, Names};
use super::{Answer, Query, text};
use crate::context::Context;
use crate::runtime::Container;

/// How often a followed file is looked at.
const LOOK: Duration = Duration::from_millis(50);
const CHUNK: usize = 32 * 1024;

/// What of a log is wanted (`PodLogOptions`).
#[derive(Debug, Clone, Default)]
struct Wanted {
    follow: bool,
    timestamps: bool,
    tail: Option<usize>,
    since: Option<jiff::Timestamp>,
    limit: Option<usize>,
}

impl Wanted {
    fn read(query: &Query) -> Result<Self, String> {
        let number = |name: &str| match query.get(name).filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => text.parse::<usize>().map(Some).map_err(|_| format!("invalid {name}: {text}")),
        };
        let since = match (query.get("sinceTime"), number("sinceSeconds")?) {
            (Some(time), _) => Some(time.parse().map_err(|_| format!("invalid sinceTime: {time}"))?),
            (None, Some(seconds)) => {
                let seconds = i64::try_from(seconds).map_err(|_| "invalid sinceSeconds".to_owned())?;
                jiff::Timestamp::from_second(jiff::Timestamp::now().as_second().saturating_sub(seconds)).ok()
            }
            (None, None) => None,
        };
        Ok(Self {
            follow: query.is(&["follow"]),
            timestamps: query.is(&["timestamps"]),
            tail: number("tailLines")?,
            since,
            limit: number("limitBytes")?,
        })
    }
}

/// One record of the CRI format as the client should see it; none when it is too old or no record.
fn shown(record: &str, wanted: &Wanted) -> Option<String> {
    let mut fields = record.splitn(4, ' ');
    let (time, _stream, tag, content) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    if let Some(since) = wanted.since
        && time.parse::<jiff::Timestamp>().is_ok_and(|time| time < since)
    {
        return None;
    }
    // A part of a line is shown without an end: the next part goes on.
    let content = if tag.starts_with('P') { content.trim_end_matches('\n') } else { content };
    Some(if wanted.timestamps { format!("{time} {content}") } else { content.to_owned() })
}

/// Answers with the log.
pub(crate) async fn answer(context: &Context, names: Names<'_>, query: Option<&str>) -> Answer {
    let query = Query::read(query);
    let (wanted, runs) = match (Wanted::read(&query), attend::runs(context, names)) {
        (Err(reason), _) => return text(StatusCode::UNPROCESSABLE_ENTITY, reason),
        (_, Err(reason)) => return text(StatusCode::NOT_FOUND, reason),
        (Ok(wanted), Ok(runs)) => (wanted, runs),
    };
    let (previous, name, pod) = (query.is(&["previous"]), names.2, names.1);
    let run = if previous { runs.1 } else { runs.0.or(runs.1) };
    let Some(run) = run else {
        let reason = if previous {
            format!("previous terminated container \"{name}\" in pod \"{pod}\" not found")
        } else {
            attend::without_log(context, names)
        };
        return text(StatusCode::BAD_REQUEST, reason);
    };
    let (sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, io::Error>>(8);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = copy(&run.record.log, &run.container, &wanted, &sender) {
            // The client sees a broken answer, or has gone.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let stream = futures::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
    let plain = http::HeaderValue::from_static("text/plain");
    response.headers_mut().insert(http::header::CONTENT_TYPE, plain);
    response
}

/// Reads the file to its end, and on as long as the container runs when it is followed.
fn copy(
    path: &Path,
    container: &Container,
    wanted: &Wanted,
    sender: &mpsc::Sender<Result<Frame<Bytes>, io::Error>>,
) -> io::Result<()> {
    let mut file = io::BufReader::new(fs::File::open(path)?);
    let mut left = wanted.limit.unwrap_or(usize::MAX);
    let mut send = |text: String| {
        let text = text.into_bytes();
        let part = text[..text.len().min(left)].to_vec();
        left -= part.len();
        sender.blocking_send(Ok(Frame::data(part.into()))).is_ok() && left > 0
    };
    if let Some(lines) = wanted.tail
        && !send(tail(&mut file, lines, wanted)?)
    {
        return Ok(());
    }
    let mut chunk = String::new();
    loop {
        // Asked before the look, so that nothing written before the end is missed.
        let ended = !wanted.follow || container.exit().ok().flatten().is_some();
        let mut record = Vec::new();
        while file.by_ref().read_until(b'\n', &mut record)? > 0 {
            if record.last() != Some(&b'\n') {
                // Half a record: it is read again when it is whole.
                file.seek_relative(-i64::try_from(record.len()).unwrap_or(0))?;
                break;
            }
            chunk.extend(shown(&String::from_utf8_lossy(&record), wanted));
            record.clear();
            if chunk.len() > CHUNK && !send(std::mem::take(&mut chunk)) {
                return Ok(());
            }
        }
        if (!chunk.is_empty() && !send(std::mem::take(&mut chunk))) || ended || sender.is_closed() {
            return Ok(());
        }
        std::thread::sleep(LOOK);
        let replaced =
            fs::metadata(path).is_ok_and(|meta| file.stream_position().is_ok_and(|position| meta.len() < position));
        if replaced {
            file = io::BufReader::new(fs::File::open(path)?);
        }
    }
}

/// The last records, and the position after them.
fn tail(file: &mut io::BufReader<fs::File>, lines: usize, wanted: &Wanted) -> io::Result<String> {
    let mut kept = VecDeque::new();
    let mut record = Vec::new();
    while file.read_until(b'\n', &mut record)? > 0 {
        if let Some(text) = shown(&String::from_utf8_lossy(&record), wanted) {
            kept.push_back(text);
        }
        if kept.len() > lines {
            kept.pop_front();
        }
        record.clear();
    }
    Ok(kept.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_shown_as_asked() {
        let record = "2026-01-02T03:04:05.000000006Z stdout F hello there\n";
        assert_eq!(shown(record, &Wanted::default()).as_deref(), Some("hello there\n"));
        let stamped = Wanted { timestamps: true, ..Wanted::default() };
        assert_eq!(shown(record, &stamped).as_deref(), Some("2026-01-02T03:04:05.000000006Z hello there\n"));
        let part = record.replace(" F ", " P ");
        assert_eq!(shown(&part, &Wanted::default()).as_deref(), Some("hello there"));
        let later = Wanted { since: "2026-01-02T03:04:06Z".parse().ok(), ..Wanted::default() };
        assert_eq!(shown(record, &later), None);
        assert_eq!(shown("garbage\n", &Wanted::default()), None);
        assert!(Wanted::read(&Query::read(Some("tailLines=x"))).is_err());
    }
}

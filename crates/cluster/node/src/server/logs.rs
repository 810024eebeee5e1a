//! `/containerLogs/NAMESPACE/POD/CONTAINER`: the log file, cut and followed as asked.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::attend::{self, Names};
use super::bounds::{Kind, Leave};
use super::follow::Reader;
use super::{Answer, Query, text};
use crate::context::Context;
use crate::runtime::Container;

/// How soon a followed file is looked at again; while nothing comes, less and less often.
const LOOK: Duration = Duration::from_millis(50);
const LOOK_MOST: Duration = Duration::from_millis(400);

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

/// Turns records of the CRI format into what the client should see.
#[derive(Debug)]
struct Shown {
    wanted: Wanted,
    /// Bytes that may still be shown.
    left: usize,
    /// The last thing shown has not ended its line: the next part goes on with it.
    within: bool,
}

impl Shown {
    fn new(wanted: Wanted) -> Self {
        Self { left: wanted.limit.unwrap_or(usize::MAX), wanted, within: false }
    }

    /// What is to be seen of some records, each with its newline.
    fn show(&mut self, records: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(records.len());
        for record in records.split_inclusive(|byte| *byte == b'\n') {
            self.one(record, &mut out);
        }
        out.truncate(self.left);
        self.left -= out.len();
        out
    }

    /// What is no record, or too old, is left out.
    fn one(&mut self, record: &[u8], out: &mut Vec<u8>) {
        let mut fields = record.splitn(4, |byte| *byte == b' ');
        let (Some(time), Some(_stream), Some(tag), Some(content)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return;
        };
        if let Some(since) = self.wanted.since {
            let time = std::str::from_utf8(time).ok().and_then(|time| time.parse::<jiff::Timestamp>().ok());
            if time.is_some_and(|time| time < since) {
                return;
            }
        }
        if self.wanted.timestamps && !self.within {
            out.extend_from_slice(time);
            out.push(b' ');
        }
        self.within = tag.starts_with(b"P");
        // A part of a line is shown without an end.
        let content = if self.within { content.strip_suffix(b"\n").unwrap_or(content) } else { content };
        out.extend_from_slice(content);
    }
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
    let Some(leave) = context.streams.enter(&run.record.id, Kind::Log) else {
        return text(StatusCode::TOO_MANY_REQUESTS, "too many streams: of this container, or of the node");
    };
    let reader = match Reader::open(&context.config.logs, &run.record.log, wanted.tail) {
        Ok(reader) => reader,
        Err(error) => {
            let reason = format!("failed to try resolving symlinks in path \"{}\": {error}", run.record.log.display());
            return text(StatusCode::INTERNAL_SERVER_ERROR, reason);
        }
    };
    let follow = wanted.follow.then_some(run.container);
    let copy = Copy { reader, shown: Shown::new(wanted), follow, wait: LOOK, _leave: leave };
    let stream = futures::stream::unfold(Some(copy), async |copy| {
        let mut copy = copy?;
        match copy.more().await {
            Ok(Some(bytes)) => Some((Ok(Frame::data(bytes)), Some(copy))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
    let plain = http::HeaderValue::from_static("text/plain");
    response.headers_mut().insert(http::header::CONTENT_TYPE, plain);
    response
}

/// A log on its way to a client. It reads on only when the client has taken what was read before.
struct Copy {
    reader: Reader,
    shown: Shown,
    /// The container, if its log is followed.
    follow: Option<Container>,
    wait: Duration,
    _leave: Leave,
}

impl Copy {
    /// Some more of the log; none at its end. That comes, when the log is followed, with the container's.
    async fn more(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if self.shown.left == 0 {
                return Ok(None);
            }
            // Asked before the look, so that nothing written before the end is missed.
            let ended = match &self.follow {
                Some(container) => container.exit().map_err(io::Error::other)?.is_some(),
                None => true,
            };
            let records = self.reader.records()?;
            if !records.is_empty() {
                self.wait = LOOK;
                let text = self.shown.show(&records);
                if !text.is_empty() {
                    return Ok(Some(text.into()));
                }
                tokio::task::yield_now().await;
            } else if self.follow.is_some() && self.reader.rotated()? {
                // There is more, in the next file.
            } else if ended {
                return Ok(None);
            } else {
                tokio::time::sleep(self.wait).await;
                self.wait = (self.wait * 2).min(LOOK_MOST);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(record: &str, wanted: &Wanted) -> String {
        String::from_utf8(Shown::new(wanted.clone()).show(record.as_bytes())).unwrap()
    }

    #[test]
    fn records_are_shown_as_asked() {
        let record = "2026-01-02T03:04:05.000000006Z stdout F hello there\n";
        assert_eq!(shown(record, &Wanted::default()), "hello there\n");
        let stamped = Wanted { timestamps: true, ..Wanted::default() };
        assert_eq!(shown(record, &stamped), "2026-01-02T03:04:05.000000006Z hello there\n");
        let part = record.replace(" F ", " P ");
        assert_eq!(shown(&part, &Wanted::default()), "hello there");
        let whole = format!("{part}{record}{record}");
        let time = "2026-01-02T03:04:05.000000006Z";
        assert_eq!(shown(&whole, &stamped), format!("{time} hello therehello there\n{time} hello there\n"));
        let later = Wanted { since: "2026-01-02T03:04:06Z".parse().ok(), ..Wanted::default() };
        assert_eq!(shown(record, &later), "");
        assert_eq!(shown("garbage\n", &Wanted::default()), "");
        let short = Wanted { limit: Some(5), ..Wanted::default() };
        assert_eq!(shown(record, &short), "hello");
        assert!(Wanted::read(&Query::read(Some("tailLines=x"))).is_err());
    }

    #[test]
    fn bytes_are_shown_as_they_were_written() {
        let record = b"2026-01-02T03:04:05Z stdout F \xff\xfe\n";
        assert_eq!(Shown::new(Wanted::default()).show(record), b"\xff\xfe\n");
    }

    /// Seven hundred follow; another log is read at once, and all see the end.
    #[test]
    fn followers_cost_no_thread_and_leave_others_unharmed() {
        let logs = tempfile::tempdir().unwrap();
        let path = logs.path().join("0.log");
        std::fs::write(&path, "2026-01-02T03:04:05Z stdout F line\n").unwrap();
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).max_blocking_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let streams = crate::server::Streams::default();
            let copy = |follow: bool| Copy {
                reader: Reader::open(logs.path(), &path, None).unwrap(),
                shown: Shown::new(Wanted { follow, ..Wanted::default() }),
                follow: follow.then(|| Container::at(logs.path())),
                wait: LOOK,
                _leave: streams.enter("c", Kind::Log).unwrap(),
            };
            let read = async |mut copy: Copy| {
                let mut said = Vec::new();
                while let Some(bytes) = copy.more().await.unwrap() {
                    said.extend(bytes);
                }
                said
            };
            let mut followers = tokio::task::JoinSet::new();
            for _ in 0..700 {
                followers.spawn(read(copy(true)));
            }
            tokio::task::yield_now().await;
            // Behind seven hundred that never end it would wait for ever.
            let other = tokio::time::timeout(Duration::from_secs(60), read(copy(false)));
            assert_eq!(other.await.expect("followers hold nobody up"), b"line\n");
            assert!(followers.try_join_next().is_none(), "they wait for the container");
            let exit = r#"{"code":0,"signal":null,"oom_killed":false,"started_at":"2026-01-02T03:04:05Z","finished_at":"2026-01-02T03:04:05Z"}"#;
            std::fs::write(logs.path().join("exit.json"), exit).unwrap();
            assert!(followers.join_all().await.iter().all(|said| said == b"line\n"));
        });
    }
}

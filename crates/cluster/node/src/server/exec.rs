//! `/exec/…`: a program in a container, its streams over a WebSocket (subprotocols `v4.channel.k8s.io` and
//! `v5.channel.k8s.io`: the first byte of each message is the channel).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::SplitSink;
use futures::{SinkExt, StreamExt};
use http::{HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::attend::{self, Names};
use super::bounds::{Kind, Leave};
use super::{Answer, Query, text};
use crate::context::Context;
use crate::pod::exec_process;
use crate::runtime::{Container, Exec, ExecIo};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// How long a client may take to go once it was told how the program ended.
const LINGER: Duration = Duration::from_secs(5);
/// How long a client may leave unread how the program ended.
const UNREAD: Duration = Duration::from_secs(60);
/// Pieces of output, 32 KiB each, that wait for a client.
const WAITING: usize = 4;
/// Most bytes that `/run` answers with.
const RUN_MAX: usize = 1 << 20;
const TOO_MANY: &str = "too many programs run in this container by exec, or too many streams on this node";
/// v5: the client closes the channel whose number follows.
const CLOSE: u8 = 255;

/// What the client asked for.
#[derive(Debug, Clone)]
struct Wanted {
    command: Vec<String>,
    stdin: bool,
    terminal: bool,
}

impl Wanted {
    fn read(query: Option<&str>) -> Result<Self, &'static str> {
        let query = Query::read(query);
        let command = query.all("command");
        if command.is_empty() {
            return Err("you must specify at least 1 command for exec");
        }
        Ok(Self { command, stdin: query.is(&["input", "stdin"]), terminal: query.is(&["tty"]) })
    }
}

/// A container that runs.
pub(crate) fn container(context: &Context, names: Names<'_>) -> Result<Container, (StatusCode, String)> {
    let (run, _) = attend::runs(context, names).map_err(|reason| (StatusCode::NOT_FOUND, reason))?;
    let run = run.filter(|run| run.exit.is_none());
    run.map(|run| run.container)
        .ok_or_else(|| (StatusCode::BAD_REQUEST, format!("container not found (\"{}\")", names.2)))
}

fn enter(context: &Context, container: &Container) -> Option<Leave> {
    context.streams.enter(&container.directory().to_string_lossy(), Kind::Program)
}

/// Switches to the WebSocket and runs the program.
pub(crate) fn answer(context: &Arc<Context>, names: Names<'_>, mut request: Request<Incoming>) -> Answer {
    let wanted = match Wanted::read(request.uri().query()) {
        Ok(wanted) => wanted,
        Err(reason) => return text(StatusCode::BAD_REQUEST, reason),
    };
    let container = match container(context, names) {
        Ok(container) => container,
        Err((status, reason)) => return text(status, reason),
    };
    let head = |name: header::HeaderName| {
        request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    if !head(header::UPGRADE).eq_ignore_ascii_case("websocket") {
        return text(
            StatusCode::BAD_REQUEST,
            "only WebSocket is supported here, not SPDY: use a kubectl of 1.30 or later",
        );
    }
    let Some(leave) = enter(context, &container) else { return text(StatusCode::TOO_MANY_REQUESTS, TOO_MANY) };
    let offered = head(header::SEC_WEBSOCKET_PROTOCOL);
    let protocol =
        offered.split(',').map(str::trim).find(|one| ["v5.channel.k8s.io", "v4.channel.k8s.io"].contains(one));
    let key = head(header::SEC_WEBSOCKET_KEY).to_owned();
    let Some(protocol) = protocol.and_then(|name| HeaderValue::from_str(name).ok()) else {
        return text(StatusCode::FORBIDDEN, format!("unable to negotiate a subprotocol of {offered:?}"));
    };
    let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) else {
        return text(StatusCode::BAD_REQUEST, "bad Sec-WebSocket-Key");
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let _leave = leave;
        if let Err(error) = converse(upgrade, &container, wanted).await {
            tracing::debug!(%error, "an exec ended badly");
        }
    });
    let mut response = text(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    response
}

/// The agent's ends of a program's streams.
struct Ends {
    stdin: Option<pipe::Sender>,
    outputs: Vec<(u8, pipe::Receiver)>,
    /// For its size.
    terminal: Option<OwnedFd>,
}

async fn start(container: &Container, wanted: Wanted) -> io::Result<(Exec, Ends)> {
    let process = exec_process(container, wanted.command, wanted.terminal)?;
    if wanted.terminal {
        let mut exec = container.exec(process, ExecIo::Terminal).await.map_err(io::Error::other)?;
        let master = exec.terminal().ok_or_else(|| io::Error::other("no terminal came"))?;
        let flags = OFlag::from_bits_retain(fcntl(&master, FcntlArg::F_GETFL)?);
        fcntl(&master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let ends = Ends {
            // A terminal's master is no pipe, but a non-blocking descriptor that can be waited for like one.
            stdin: Some(pipe::Sender::from_owned_fd_unchecked(master.try_clone()?)?),
            outputs: vec![(STDOUT, pipe::Receiver::from_owned_fd_unchecked(master.try_clone()?)?)],
            terminal: Some(master),
        };
        return Ok((exec, ends));
    }
    let (stdin, to) = io::pipe()?;
    let (out, stdout) = io::pipe()?;
    let (err, stderr) = io::pipe()?;
    let streams = ExecIo::Streams { stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() };
    let exec = container.exec(process, streams).await.map_err(io::Error::other)?;
    let receive = |reader: io::PipeReader| pipe::Receiver::from_owned_fd(reader.into());
    let to = if wanted.stdin { Some(pipe::Sender::from_owned_fd(to.into())?) } else { None };
    Ok((exec, Ends { stdin: to, outputs: vec![(STDOUT, receive(out)?), (STDERR, receive(err)?)], terminal: None }))
}

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

fn message(channel: u8, data: &[u8]) -> Message {
    let mut bytes = Vec::with_capacity(data.len() + 1);
    bytes.push(channel);
    bytes.extend_from_slice(data);
    Message::Binary(bytes.into())
}

/// What may wait for a client to take it, and what it may say at a time. A client that takes nothing makes the program
/// wait, not this process grow.
fn limits() -> WebSocketConfig {
    let limits = WebSocketConfig::default().write_buffer_size(32 << 10).max_write_buffer_size(256 << 10);
    limits.max_message_size(Some(1 << 20)).max_frame_size(Some(1 << 20))
}

async fn converse(upgrade: OnUpgrade, container: &Container, wanted: Wanted) -> io::Result<()> {
    let upgraded = upgrade.await.map_err(io::Error::other)?;
    let socket: Socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(limits())).await;
    let (mut sink, stream) = socket.split();
    let mut listener;
    let outcome = match start(container, wanted).await {
        Ok((exec, Ends { stdin, outputs, terminal })) => {
            listener = Gone(tokio::spawn(listen(stream, stdin, terminal)));
            tokio::select! {
                outcome = attend(&exec, outputs, &mut sink) => outcome?,
                // Nobody is there any more: the program goes with `exec`.
                _ = &mut listener.0 => return Ok(()),
            }
        }
        Err(error) => {
            listener = Gone(tokio::spawn(listen(stream, None, None)));
            failure(&error.to_string())
        }
    };
    send(&mut sink, message(ERROR, outcome.to_string().as_bytes())).await?;
    // A client takes a close without a code for a broken connection.
    let done = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    send(&mut sink, Message::Close(Some(done))).await?;
    // A client may still be writing. Were the connection closed on it, it would find that broken before it has read how
    // the program ended; so its words are read, to no purpose, until it has gone.
    let _ = tokio::time::timeout(LINGER, &mut listener.0).await;
    tokio::time::timeout(LINGER, sink.close()).await.map_err(io::Error::other)?.map_err(io::Error::other)
}

/// Who listens to a client. Nobody does longer than this value lives.
struct Gone(tokio::task::JoinHandle<()>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The last words, which a client must take in time.
async fn send(sink: &mut SplitSink<Socket, Message>, last: Message) -> io::Result<()> {
    tokio::time::timeout(UNREAD, sink.send(last)).await.map_err(io::Error::other)?.map_err(io::Error::other)
}

/// Passes on what a program says until it has ended. An error: nobody takes it.
async fn attend(
    exec: &Exec,
    outputs: Vec<(u8, pipe::Receiver)>,
    sink: &mut SplitSink<Socket, Message>,
) -> io::Result<Value> {
    let (sender, mut messages) = mpsc::channel::<Message>(WAITING);
    let mut readers = tokio::task::JoinSet::new();
    for (channel, output) in outputs {
        readers.spawn(read_out(channel, output, sender.clone()));
    }
    drop(sender);
    while let Some(message) = messages.recv().await {
        sink.send(message).await.map_err(io::Error::other)?;
    }
    Ok(exec.wait().await.map(status).unwrap_or_else(|error| failure(&error.to_string())))
}

/// How the program ended, as a `metav1.Status`.
fn status(code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

fn failure(reason: &str) -> Value {
    json!({
        "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
        "message": format!("Internal error occurred: error executing command in container: {reason}"),
    })
}

async fn read_out(channel: u8, mut output: pipe::Receiver, sender: mpsc::Sender<Message>) {
    let mut buffer = vec![0; 32 * 1024];
    // A terminal ends with EIO, a pipe with nothing.
    while let Ok(count @ 1..) = output.read(&mut buffer).await {
        if sender.send(message(channel, &buffer[..count])).await.is_err() {
            return;
        }
    }
}

/// What the client sends, until it goes.
async fn listen(
    mut stream: futures::stream::SplitStream<Socket>,
    mut stdin: Option<pipe::Sender>,
    terminal: Option<OwnedFd>,
) {
    while let Some(Ok(message)) = stream.next().await {
        let bytes: Bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => text.into(),
            Message::Close(_) => return,
            _ => continue,
        };
        let Some((channel, data)) = bytes.split_first() else { continue };
        match *channel {
            STDIN => {
                if let Some(pipe) = stdin.as_mut()
                    && pipe.write_all(data).await.is_err()
                {
                    stdin = None;
                }
            }
            CLOSE if data == [STDIN] => stdin = None,
            RESIZE => {
                let size: Value = serde_json::from_slice(data).unwrap_or_default();
                let number = |name: &str| size[name].as_u64().and_then(|number| u16::try_from(number).ok());
                if let (Some(terminal), Some(width), Some(height)) = (&terminal, number("Width"), number("Height")) {
                    // Only a program that has ended has no size.
                    let _ = eksile_linux::terminal::resize(terminal.as_fd(), width, height);
                }
            }
            _ => {}
        }
    }
}

/// `/run/…`: a program without input; its output is the answer.
pub(crate) async fn run(context: &Context, names: Names<'_>, query: Option<&str>) -> Answer {
    let query = Query::read(query);
    let command = query.get("cmd").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let container = match container(context, names) {
        Ok(container) => container,
        Err((status, reason)) => return text(status, reason),
    };
    let Some(_leave) = enter(context, &container) else { return text(StatusCode::TOO_MANY_REQUESTS, TOO_MANY) };
    let (sender, mut messages) = mpsc::channel(WAITING);
    let outcome = async {
        let (exec, ends) = start(&container, Wanted { command, stdin: false, terminal: false }).await?;
        for (channel, output) in ends.outputs {
            tokio::spawn(read_out(channel, output, sender.clone()));
        }
        drop(sender);
        let mut said = Vec::new();
        while let Some(message) = messages.recv().await {
            said.extend_from_slice(message.into_data().get(1..).unwrap_or_default());
            if said.len() > RUN_MAX {
                return Err(io::Error::other(format!("the program says more than {RUN_MAX} bytes: exec shows it")));
            }
        }
        let code = exec.wait().await.map_err(io::Error::other)?;
        Ok::<_, io::Error>((code, String::from_utf8_lossy(&said).into_owned()))
    };
    match outcome.await {
        Ok((0, said)) => text(StatusCode::OK, said),
        Ok((code, said)) => {
            text(StatusCode::INTERNAL_SERVER_ERROR, format!("{said}command terminated with exit code {code}"))
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

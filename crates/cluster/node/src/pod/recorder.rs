//! For tests: a shim that only writes down what it is asked.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc;

use crate::runtime::Container;
use crate::shim::protocol::{Reply, Request, files};

/// A container that is a directory with a socket, and what was asked of it, in order.
pub(crate) struct Recorder {
    pub(crate) container: Container,
    pub(crate) asked: mpsc::Receiver<String>,
    _directory: tempfile::TempDir,
}

impl Recorder {
    /// Commands run in it end with `code`, after having said "said".
    pub(crate) fn new(code: i32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(files::SPEC), r#"{"process": {}}"#).unwrap();
        let listener = UnixListener::bind(directory.path().join(files::SOCKET)).unwrap();
        let (sender, asked) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // The test is over.
                if answer(&stream.unwrap(), code, &sender).is_none() {
                    return;
                }
            }
        });
        Self { container: Container::at(directory.path()), asked, _directory: directory }
    }

    /// What was asked next.
    pub(crate) fn next(&self) -> String {
        self.asked.recv_timeout(std::time::Duration::from_secs(10)).unwrap()
    }
}

fn answer(mut stream: &UnixStream, code: i32, sender: &mpsc::Sender<String>) -> Option<()> {
    let mut buffer = [0; 4096];
    let (count, fds) = eksile_linux::fdpass::receive(stream.as_fd(), &mut buffer).unwrap();
    let mut say = |reply: &Reply| writeln!(stream, "{}", serde_json::to_string(reply).unwrap()).unwrap();
    let mut line = String::new();
    BufReader::new(&buffer[..count]).read_line(&mut line).unwrap();
    match serde_json::from_str(&line).unwrap() {
        Request::Exec { process } => {
            sender.send(format!("exec {}", process["args"])).ok()?;
            let out = fds.into_iter().nth(1).unwrap();
            std::fs::File::from(out).write_all(b"said").unwrap();
            say(&Reply::Running { pid: 1 });
            say(&Reply::Exited { code });
        }
        Request::Kill { signal } => {
            sender.send(format!("kill {signal}")).ok()?;
            say(&Reply::Done);
        }
        other => panic!("{other:?}"),
    }
    Some(())
}

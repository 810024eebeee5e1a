//! One HTTP/1.1 connection over TLS, kept alive. Written by hand so that the load costs little of the cores it shares
//! with what it measures.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use bytes::{Buf, BytesMut};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Where a server listens, and how to get in.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Arc<ClientConfig>,
    /// Bearer token.
    pub(crate) token: Option<String>,
}

pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
    out: Vec<u8>,
    authorization: String,
}

/// An answer's head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) status: u16,
    length: Length,
}

#[derive(Debug, Clone, Copy)]
enum Length {
    Known(usize),
    Chunked,
}

/// No answer takes this long: the server hangs.
const PATIENCE: Duration = Duration::from_secs(60);

impl Connection {
    pub(crate) async fn open(target: &Target) -> anyhow::Result<Connection> {
        let tcp = TcpStream::connect(target.address).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::IpAddress(target.address.ip().into());
        let stream = TlsConnector::from(target.tls.clone()).connect(name, tcp).await?;
        let authorization = target.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n"));
        Ok(Connection {
            stream,
            buffer: BytesMut::with_capacity(256 << 10),
            out: Vec::new(),
            authorization: authorization.unwrap_or_default(),
        })
    }

    /// Sends a request; its answer must then be read.
    pub(crate) async fn send(&mut self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<()> {
        self.out.clear();
        write_head(&mut self.out, method, path, &self.authorization, body.len());
        self.out.extend_from_slice(body);
        self.stream.write_all(&self.out).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Sends a request and reads its whole answer: status and length of the body.
    pub(crate) async fn exchange(&mut self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<(u16, usize)> {
        let mut length = 0;
        let status = self.exchange_with(method, path, body, |part| length += part.len()).await?;
        Ok((status, length))
    }

    pub(crate) async fn exchange_with(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
        mut sink: impl FnMut(&[u8]),
    ) -> anyhow::Result<u16> {
        self.send(method, path, body).await?;
        let head = self.head().await?;
        self.body(head, &mut sink).await?;
        Ok(head.status)
    }

    pub(crate) async fn head(&mut self) -> anyhow::Result<Head> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let text = std::str::from_utf8(&self.buffer[..end]).context("a head that is not text")?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let mut length = Length::Known(0);
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            if name.eq_ignore_ascii_case("content-length") {
                length = Length::Known(value.parse()?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                length = Length::Chunked;
            }
        }
        let status = status.context("no status")?;
        self.buffer.advance(end);
        Ok(Head { status, length })
    }

    async fn body(&mut self, head: Head, sink: &mut impl FnMut(&[u8])) -> anyhow::Result<()> {
        match head.length {
            Length::Known(length) => self.take(length, sink).await,
            Length::Chunked => {
                while self.chunk(sink).await? > 0 {}
                Ok(())
            }
        }
    }

    /// Reads one chunk of a chunked body; 0 is the end of it.
    pub(crate) async fn chunk(&mut self, sink: &mut impl FnMut(&[u8])) -> anyhow::Result<usize> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                break at;
            }
            self.fill().await?;
        };
        let size = std::str::from_utf8(&self.buffer[..end])?;
        let size = usize::from_str_radix(size, 16).context("a chunk's size")?;
        self.buffer.advance(end + 2);
        self.take(size, sink).await?;
        self.take(2, &mut |_| {}).await?;
        Ok(size)
    }

    async fn take(&mut self, mut length: usize, sink: &mut impl FnMut(&[u8])) -> anyhow::Result<()> {
        while length > 0 {
            if self.buffer.is_empty() {
                self.fill().await?;
            }
            let part = length.min(self.buffer.len());
            sink(&self.buffer[..part]);
            self.buffer.advance(part);
            length -= part;
        }
        Ok(())
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        self.buffer.reserve(64 << 10);
        if timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await.context("no answer")?? == 0 {
            bail!("the server hung up");
        }
        Ok(())
    }
}

fn write_head(out: &mut Vec<u8>, method: &str, path: &str, authorization: &str, length: usize) {
    for part in [method, " ", path, " HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n", authorization] {
        out.extend_from_slice(part.as_bytes());
    }
    if length > 0 {
        out.extend_from_slice(format!("Content-Type: application/json\r\nContent-Length: {length}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|part| part == needle)
}

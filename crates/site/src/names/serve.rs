use std::io;

use eksile_gate::{Gate, Limits, Pass};
use hickory_proto::{
    op::{Message, MessageType, OpCode, ResponseCode},
    rr::{RData, Record, RecordType, rdata::A},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};

use super::{Found, Zone};

/// Seconds that an answer may be kept: short, since instances come and go.
const TTL: u32 = 5;
/// Callers over TCP at once, of one VPC's resolver. Each question has ten seconds.
const MOST_CALLERS: usize = 256;
/// Longest answer over UDP without EDNS (RFC 1035 §4.2.1).
const UDP_ANSWER: usize = 512;

/// Answers one question; `None` when nothing is to be said.
#[must_use]
pub fn answer(zone: &Zone, question: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    if question.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.metadata.recursion_desired = question.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.metadata.response_code = match (question.metadata.op_code, question.queries.first()) {
        (OpCode::Query, Some(query)) => match zone.resolve(&query.name().to_ascii()) {
            Found::Silence => return None,
            Found::Nothing => ResponseCode::NXDomain,
            Found::Addresses(addresses) => {
                if matches!(query.query_type(), RecordType::A | RecordType::ANY) {
                    let record = |address| Record::from_rdata(query.name().clone(), TTL, RData::A(A(address)));
                    reply.add_answers(addresses.into_iter().map(record));
                }
                ResponseCode::NoError
            }
            Found::Unknown => ResponseCode::ServFail,
        },
        (OpCode::Query, None) => ResponseCode::FormErr,
        _ => ResponseCode::NotImp,
    };
    reply.queries.extend(question.queries);
    reply.to_vec().inspect_err(|error| tracing::error!(%error, "an answer cannot be encoded")).ok()
}

/// Answers datagrams until the socket fails.
///
/// # Errors
/// When it does.
pub async fn serve_udp(zone: Zone, socket: UdpSocket) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        let (length, caller) = socket.recv_from(&mut buffer).await?;
        let Some(mut reply) = answer(&zone, &buffer[..length]) else { continue };
        if reply.len() > UDP_ANSWER {
            reply = truncated(&reply).unwrap_or(reply);
        }
        if let Err(error) = socket.send_to(&reply, caller).await {
            tracing::debug!(%error, %caller, "an answer could not be sent");
        }
    }
}

/// The answer without its records, so that the caller asks again over TCP.
fn truncated(reply: &[u8]) -> Option<Vec<u8>> {
    let mut message = Message::from_vec(reply).ok()?;
    message.answers.clear();
    message.metadata.truncation = true;
    message.to_vec().ok()
}

/// Answers streams, for ever.
pub async fn serve_tcp(zone: Zone, listener: TcpListener) {
    let gate = Gate::new("names", Limits { connections: MOST_CALLERS, ..Limits::default() });
    loop {
        let (mut stream, caller, pass) = gate.accept(&listener).await;
        let zone = zone.clone();
        tokio::spawn(async move {
            if let Err(error) = converse(&zone, &mut stream, &pass).await {
                tracing::debug!(%error, %caller, "a conversation about names ended");
            }
        });
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(zone: &Zone, stream: &mut S, pass: &Pass) -> io::Result<()> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    while pass.handshake(exchange(zone, stream)).await.map_err(late)?? {}
    Ok(())
}

/// One question and its answer; false when there is none.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(zone: &Zone, stream: &mut S) -> io::Result<bool> {
    let length = match stream.read_u16().await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        other => other?,
    };
    let mut question = vec![0; usize::from(length)];
    stream.read_exact(&mut question).await?;
    let Some(reply) = answer(zone, &question) else { return Ok(false) };
    let length = u16::try_from(reply.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    stream.write_u16(length).await?;
    stream.write_all(&reply).await?;
    Ok(true)
}

//! The gRPC health check: one call over HTTP/2 without TLS.
//!
//! Sources: gRPC "Health Checking Protocol" (service, messages), "gRPC over HTTP2" (framing, `grpc-status`).

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

const ANSWER_MAX: usize = 1024;
/// `ServingStatus` by number.
const STATUS: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const SERVING: u8 = 1;
/// `grpc-status` of a method that the server does not have.
const UNIMPLEMENTED: &str = "12";

/// Asks whether `service` (empty: the whole server) serves.
pub(super) async fn check(host: &str, port: u16, service: &str) -> Result<(), String> {
    let broke = |error: &dyn fmt::Display| format!("error: health rpc probe failed: {error}");
    let stream = TcpStream::connect((host, port)).await;
    let stream = stream.map_err(|error| format!("error: failed to connect service \"{host}:{port}\": {error}"))?;
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(|error| broke(&error))?;
    // Ends when the sender is dropped.
    tokio::spawn(connection);
    let request = Request::post(format!("http://{host}:{port}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "kube-probe/1.33")
        .body(Full::new(question(service)))
        .map_err(|error| broke(&error))?;
    let (head, body) = sender.send_request(request).await.map_err(|error| broke(&error))?.into_parts();
    let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(|error| broke(&error))?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    verdict(&head.headers, &trailers, &body.to_bytes())
}

/// `HealthCheckRequest{service = 1}`, framed: not compressed, length, message.
fn question(service: &str) -> Bytes {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        let mut left = service.len();
        while left >= 0x80 {
            message.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        message.push(left as u8);
        message.extend_from_slice(service.as_bytes());
    }
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(&message);
    framed.into()
}

/// `grpc-status` may come with the headers when there is nothing else; `HealthCheckResponse{status = 1}`.
fn verdict(headers: &HeaderMap, trailers: &HeaderMap, body: &[u8]) -> Result<(), String> {
    let said = |name: &str| {
        let value = trailers.get(name).or_else(|| headers.get(name));
        value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    match said("grpc-status").as_str() {
        "0" => {}
        UNIMPLEMENTED => {
            let reason = said("grpc-message");
            return Err(format!(
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {reason}"
            ));
        }
        code => return Err(format!("error: health rpc probe failed: code {code}: {}", said("grpc-message"))),
    }
    // A field of value 0 is left out.
    let status = match body.get(5..) {
        Some([0x08, status, ..]) => *status,
        _ => 0,
    };
    if status == SERVING {
        return Ok(());
    }
    let name = STATUS.get(usize::from(status)).unwrap_or(&"UNKNOWN");
    Err(format!("service unhealthy (responded with \"{name}\")"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), http::HeaderValue::from_static(code))])
    }

    #[test]
    fn a_question_is_framed() {
        assert_eq!(question("").as_ref(), [0, 0, 0, 0, 0]);
        assert_eq!(question("ab").as_ref(), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(question(&"x".repeat(200))[5..8], [0x0a, 0xc8, 0x01]);
    }

    #[test]
    fn only_serving_is_healthy() {
        let none = HeaderMap::new();
        assert_eq!(verdict(&none, &status("0"), &[0, 0, 0, 0, 2, 8, 1]), Ok(()));
        let bad = verdict(&none, &status("0"), &[0, 0, 0, 0, 2, 8, 2]).unwrap_err();
        assert_eq!(bad, "service unhealthy (responded with \"NOT_SERVING\")");
        assert!(verdict(&none, &status("0"), &[0, 0, 0, 0, 0]).unwrap_err().contains("UNKNOWN"));
        assert!(verdict(&status("12"), &none, &[]).unwrap_err().contains("does not implement"));
        assert!(verdict(&none, &none, &[]).is_err());
    }
}

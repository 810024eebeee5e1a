//! Listeners that hold: however many connections come, and however little they say, the next caller is served.
//!
//! A [`Gate`] stands behind one listener. It lets in as many connections as [`Limits`] say; one more takes the place of
//! the one that has been idle for longest (whose body is waited for is idle), and where all are busy it is turned away. Each connection has a [`Pass`],
//! which ends it in time: a handshake, a head, a pause between requests, an answer that nobody reads have each a limit
//! ([`Times`]). [`http()`] serves HTTP under a pass; [`body`] bounds the time of what comes in.
//!
//! Knows: sockets, time, HTTP. Must not know: TLS, who speaks, what about.

pub mod body;
mod gate;
mod http;
mod pass;
mod stream;

pub use gate::{Gate, Limits};
pub use http::http;
pub use pass::{Busy, Left, Pass, Times, Waiting};
pub use stream::Watched;

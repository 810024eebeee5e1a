//! Links, addresses, routes, rules and neighbours, over rtnetlink(7), and tracked flows.
//!
//! A netlink socket belongs to the namespace it was made in, so [`Netlink::open`] makes it on a
//! thread there, and any thread may use it afterwards. Such a socket keeps its namespace alive:
//! do not keep one for a place that may be deleted.

mod conntrack;
mod link;
mod route;
mod wire;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, connect, recv, send, setsockopt,
    socket, sockopt,
};
use nix::sys::time::TimeVal;

pub use conntrack::{Flow, Tuple};
pub use link::{LinkState, Mac, Veth, VethEnd};
pub use route::{Cidr, Neighbour, Route, RouteKind, Rule, Selector};
use wire::{Message, Parts};

use crate::{Error, Namespace};

/// A netlink socket of one namespace.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// For routing objects (rtnetlink) of `place`.
    ///
    /// # Errors
    /// When the place cannot be entered.
    pub fn open(place: &Namespace) -> Result<Self, Error> {
        place.enter(Self::here)?
    }

    /// For routing objects of the calling thread's namespace.
    ///
    /// # Errors
    /// When the kernel refuses the socket.
    pub fn here() -> Result<Self, Error> {
        Self::protocol(SockProtocol::NetlinkRoute)
    }

    /// For tracked flows (ctnetlink) of `place`.
    ///
    /// # Errors
    /// When the place cannot be entered, or the kernel has no ctnetlink.
    pub fn open_flows(place: &Namespace) -> Result<Self, Error> {
        place.enter(|| Self::protocol(SockProtocol::NetlinkNetFilter))?
    }

    fn protocol(protocol: SockProtocol) -> Result<Self, Error> {
        let open = || -> nix::Result<OwnedFd> {
            let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
            bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
            connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
            // The kernel answers at once; the limit keeps a misunderstanding from hanging the caller.
            setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(5, 0))?;
            Ok(socket)
        };
        Ok(Self { socket: open().map_err(Error::at("open netlink"))?, sequence: 0 })
    }

    /// Sends one request and waits for its acknowledgement.
    fn change(&mut self, what: &str, message: Message) -> Result<(), Error> {
        self.ask(what, message, |_, _| {})
    }

    /// Sends one request, hands its answers to `take`, and waits for its acknowledgement.
    fn ask(&mut self, what: &str, mut message: Message, mut take: impl FnMut(u16, &[u8])) -> Result<(), Error> {
        self.sequence += 1;
        let sent = message.finish(libc::NLM_F_ACK, self.sequence);
        send(self.socket.as_raw_fd(), sent, MsgFlags::empty()).map_err(Error::at(what))?;
        let mut buffer = vec![0; 16 * 1024];
        loop {
            for part in self.receive(what, &mut buffer)? {
                match part.kind {
                    wire::ERROR => return part.verdict().map_err(Error::at(what)),
                    kind => take(kind, part.body),
                }
            }
        }
    }

    /// Sends a dump request and hands each answer to `take`.
    fn dump(&mut self, what: &str, mut message: Message, mut take: impl FnMut(u16, &[u8])) -> Result<(), Error> {
        self.sequence += 1;
        let sent = message.finish(libc::NLM_F_DUMP, self.sequence);
        send(self.socket.as_raw_fd(), sent, MsgFlags::empty()).map_err(Error::at(what))?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            for part in self.receive(what, &mut buffer)? {
                match part.kind {
                    wire::DONE => return Ok(()),
                    wire::ERROR => return part.verdict().map_err(Error::at(what)),
                    kind => take(kind, part.body),
                }
            }
        }
    }

    /// The messages of one datagram that answer the last request.
    fn receive<'b>(&self, what: &str, buffer: &'b mut [u8]) -> Result<impl Iterator<Item = wire::Part<'b>>, Error> {
        let n = loop {
            match recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_TRUNC) {
                Err(nix::Error::EINTR) => {}
                other => break other.map_err(Error::at(what))?,
            }
        };
        if n > buffer.len() {
            return Err(Error::at(what)(io::Error::from_raw_os_error(libc::EMSGSIZE)));
        }
        let sequence = self.sequence;
        Ok(Parts::new(&buffer[..n]).filter(move |part| part.sequence == sequence))
    }
}

//! The bytes of netlink: a header, a fixed body, and attributes (netlink(7), RFC 3549 §2.3).

use std::io;

use nix::libc;

/// `NLMSG_ERROR`; with error 0 it is an acknowledgement.
pub(super) const ERROR: u16 = libc::NLMSG_ERROR as u16;
/// `NLMSG_DONE`: the end of a dump.
pub(super) const DONE: u16 = libc::NLMSG_DONE as u16;

const HEADER: usize = 16;
/// `NLA_TYPE_MASK`: an attribute's type without its two flag bits.
const TYPE: u16 = 0x3fff;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;

/// A request being written.
#[derive(Debug)]
pub(super) struct Message {
    bytes: Vec<u8>,
    flags: u16,
}

impl Message {
    /// Of a type, with flags beside `NLM_F_REQUEST`, and its fixed body.
    pub(super) fn new(kind: u16, flags: i32, body: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(body);
        let mut message = Self { bytes, flags: narrow(flags | libc::NLM_F_REQUEST) };
        message.pad();
        message
    }

    /// Adds an attribute.
    pub(super) fn put(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = u16::try_from(value.len() + 4).expect("attributes written here are short");
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad();
        self
    }

    /// Adds a number in this machine's order.
    pub(super) fn put_u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Adds a zero-terminated text.
    pub(super) fn put_text(&mut self, kind: u16, value: &str) -> &mut Self {
        self.put(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Adds an attribute whose value `fill` writes: plain bytes first, attributes after.
    pub(super) fn nest(&mut self, kind: u16, head: &[u8], fill: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0]);
        self.bytes.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        self.bytes.extend_from_slice(head);
        self.pad();
        fill(self);
        let length = u16::try_from(self.bytes.len() - start).expect("attributes written here are short");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }

    /// Completes the header; the bytes are ready to be sent.
    pub(super) fn finish(&mut self, flags: i32, sequence: u32) -> &[u8] {
        let length = u32::try_from(self.bytes.len()).expect("requests written here are short");
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[6..8].copy_from_slice(&(self.flags | narrow(flags)).to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        &self.bytes
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn narrow(flags: i32) -> u16 {
    u16::try_from(flags).expect("netlink flags have 16 bits")
}

/// One received message.
#[derive(Debug)]
pub(super) struct Part<'b> {
    pub(super) kind: u16,
    pub(super) sequence: u32,
    pub(super) body: &'b [u8],
}

impl Part<'_> {
    /// What an [`ERROR`] message says.
    pub(super) fn verdict(&self) -> io::Result<()> {
        match number(self.body, 0).map(|n| n.cast_signed()) {
            Some(0) => Ok(()),
            Some(errno) => Err(io::Error::from_raw_os_error(errno.wrapping_neg())),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// The messages of a datagram; ends at the first that does not fit.
pub(super) struct Parts<'b> {
    rest: &'b [u8],
}

impl<'b> Parts<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'b> Iterator for Parts<'b> {
    type Item = Part<'b>;

    fn next(&mut self) -> Option<Part<'b>> {
        let length = usize::try_from(number(self.rest, 0)?).ok()?;
        let sequence = number(self.rest, 8)?;
        let kind = short(self.rest, 4)?;
        let body = self.rest.get(HEADER..length)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Part { kind, sequence, body })
    }
}

/// The attributes of `bytes`, by type (flags off) and value; ends at the first that does not fit.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(short(rest, 0)?);
        let kind = short(rest, 2)? & TYPE;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of the first attribute of type `kind`.
pub(super) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(k, _)| *k == kind).map(|(_, value)| value)
}

/// Four bytes at `at`, in this machine's order.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// A text without its terminating zero.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut message = Message::new(7, 0, &[1, 2, 3, 4]);
        message.put_text(3, "eth0").nest(5, &[], |m| {
            m.put_u32(1, 9);
        });
        let bytes = message.finish(0, 42).to_vec();
        let part = Parts::new(&bytes).next().unwrap();
        assert_eq!((part.kind, part.sequence), (7, 42));
        let attributes = &part.body[4..];
        assert_eq!(text(attribute(attributes, 3).unwrap()), "eth0");
        assert_eq!(attribute(attribute(attributes, 5).unwrap(), 1), Some(&9_u32.to_ne_bytes()[..]));
    }

    proptest! {
        #[test]
        fn garbage_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for part in Parts::new(&bytes) {
                let _answer = part.verdict();
                for (_, value) in attributes(part.body) {
                    attributes(value).count();
                }
            }
        }
    }
}

//! User data as cloud-init reads it: a script, or a MIME archive of scripts, perhaps compressed.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Largest user data after decompression; EC2 allows 16 KiB before.
const MOST: u64 = 1 << 20;

/// One thing to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A program for its `#!` line.
    Script(Vec<u8>),
    /// What is not done, and how it calls itself.
    Unsupported(String),
}

/// The parts of some user data; garbage is one unsupported part.
pub(super) fn parts(data: &[u8]) -> Vec<Part> {
    let mut plain = Vec::new();
    if data.starts_with(&[0x1f, 0x8b]) {
        let read = flate2::read::MultiGzDecoder::new(data).take(MOST + 1).read_to_end(&mut plain);
        // Half a script is none.
        match read {
            Err(error) => return vec![Part::Unsupported(format!("gzip: {error}"))],
            Ok(length) if length as u64 > MOST => {
                return vec![Part::Unsupported(format!("gzip: more than {MOST} bytes"))];
            }
            Ok(_) => {}
        }
    } else {
        plain.extend_from_slice(data);
    }
    if plain.trim_ascii().is_empty() && data.is_empty() {
        return Vec::new();
    }
    if let Some(archive) = mime(&plain) {
        return archive;
    }
    vec![single(plain, None)]
}

fn single(content: Vec<u8>, kind: Option<&str>) -> Part {
    if content.starts_with(b"#!") && kind.is_none_or(|kind| kind.starts_with("text/")) {
        return Part::Script(content);
    }
    let first = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let named = kind.map_or_else(|| String::from_utf8_lossy(first).chars().take(80).collect(), str::to_owned);
    Part::Unsupported(named)
}

type Headers = Vec<(String, String)>;

/// Headers up to the first empty line, names in lower case, and the rest.
fn headers(text: &[u8]) -> Option<(Headers, &[u8])> {
    let mut found = Headers::new();
    let mut rest = text;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(&rest[..end]).ok()?.trim_end_matches('\r');
        rest = &rest[end + 1..];
        if line.is_empty() {
            return Some((found, rest));
        }
        if line.starts_with([' ', '\t']) {
            found.last_mut()?.1.push_str(line);
            continue;
        }
        let (name, value) = line.split_once(':')?;
        found.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// A `multipart` archive (RFC 2046); none when it is not one.
fn mime(text: &[u8]) -> Option<Vec<Part>> {
    let (outer, body) = headers(text)?;
    let kind = header(&outer, "content-type")?;
    if !kind.to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let (_, boundary) = kind.split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    let delimiter = format!("--{boundary}");
    let body = String::from_utf8_lossy(body).into_owned();
    let mut found = Vec::new();
    let mut current: Option<String> = None;
    for line in body.split_inclusive('\n') {
        let bare = line.trim_end();
        if bare == delimiter || bare == format!("{delimiter}--") {
            found.extend(current.take().map(|text| part(&text)));
            if bare.len() > delimiter.len() {
                break;
            }
            current = Some(String::new());
        } else if let Some(text) = current.as_mut() {
            text.push_str(line);
        }
    }
    // An archive that was cut off: its last part still counts, as cloud-init has it.
    found.extend(current.filter(|text| !text.trim().is_empty()).map(|text| part(&text)));
    Some(found)
}

fn part(text: &str) -> Part {
    let Some((headers, content)) = headers(text.as_bytes()) else {
        return single(text.as_bytes().to_vec(), None);
    };
    let kind =
        header(&headers, "content-type").map(|kind| kind.split(';').next().unwrap_or_default().trim().to_owned());
    let encoded = header(&headers, "content-transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("base64"));
    let content = if encoded {
        let packed: Vec<u8> = content.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        match STANDARD.decode(packed) {
            Ok(content) => content,
            Err(error) => {
                return Part::Unsupported(format!("{}: base64: {error}", kind.as_deref().unwrap_or_default()));
            }
        }
    } else {
        content.to_vec()
    };
    single(content, kind.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    #[test]
    fn a_script_is_one_part_also_when_compressed() {
        let script = b"#!/bin/sh\necho hi\n".to_vec();
        assert_eq!(parts(&script), [Part::Script(script.clone())]);
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&script).unwrap();
        let packed = packer.finish().unwrap();
        assert_eq!(parts(&packed), [Part::Script(script)]);
        assert!(matches!(&parts(&packed[..packed.len() - 9])[..], [Part::Unsupported(why)] if why.starts_with("gzip")));
        assert_eq!(parts(b""), []);
        assert_eq!(parts(b"#cloud-config\nx: y\n"), [Part::Unsupported("#cloud-config".to_owned())]);
    }

    #[test]
    fn an_archive_has_its_parts_in_order() {
        let archive = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"==B==\"\n\n--==B==\n\
            Content-Type: text/x-shellscript; charset=\"us-ascii\"\n\n#!/bin/sh\necho 1\n--==B==\n\
            Content-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\nIyEvYmluL3No\nCg==\n--==B==\n\
            Content-Type: application/node.eks.aws\n\nkind: NodeConfig\n--==B==--\nafter";
        let expected = [
            Part::Script(b"#!/bin/sh\necho 1\n".to_vec()),
            Part::Script(b"#!/bin/sh\n".to_vec()),
            Part::Unsupported("application/node.eks.aws".to_owned()),
        ];
        assert_eq!(parts(archive.as_bytes()), expected);
        assert_eq!(parts(archive.replace('\n', "\r\n").as_bytes()).len(), 3);
    }

    #[test]
    fn a_part_that_cannot_be_read_is_told() {
        let part = "Content-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\nIyEv!\n";
        let archive = format!("Content-Type: multipart/mixed; boundary=x\n\n--x\n{part}--x--\n");
        assert!(matches!(&parts(archive.as_bytes())[..], [Part::Unsupported(why)] if why.contains("base64")));
    }

    proptest! {
        #[test]
        fn garbage_is_taken(data in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = parts(&data);
            let mut archive = b"Content-Type: multipart/mixed; boundary=x\n\n--x\n".to_vec();
            archive.extend(data);
            let _ = parts(&archive);
        }
    }
}

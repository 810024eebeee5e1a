use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use eksile_base::files::{self, PRIVATE, PUBLIC};

use crate::{KeyPair, PkiError};

/// PEM (RFC 7468): base64 in lines of 64.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = &*base64;
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = more;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// Reads `NAME.crt` and `NAME.key`.
///
/// # Errors
/// When one cannot be read. Their content is not looked at.
pub fn read_key_pair(folder: &Path, name: &str) -> Result<KeyPair, PkiError> {
    Ok(KeyPair { cert_pem: read(folder, &format!("{name}.crt"))?, key_pem: read(folder, &format!("{name}.key"))? })
}

/// Writes `NAME.crt` and `NAME.key`, the key for the owner alone; makes the folder when it is missing.
///
/// # Errors
/// When one cannot be written.
pub fn write_key_pair(folder: &Path, name: &str, pair: &KeyPair) -> Result<(), PkiError> {
    write(folder, &format!("{name}.key"), &pair.key_pem, PRIVATE)?;
    write(folder, &format!("{name}.crt"), &pair.cert_pem, PUBLIC)
}

pub(crate) fn read(folder: &Path, name: &str) -> Result<String, PkiError> {
    let path = folder.join(name);
    fs::read_to_string(&path).map_err(|source| PkiError::File { path, source })
}

/// Makes the folder, for its owner only, when it is missing.
pub(crate) fn write(folder: &Path, name: &str, content: &str, mode: u32) -> Result<(), PkiError> {
    let path = folder.join(name);
    let written = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let written = written.and_then(|()| files::replace(&path, content.as_bytes(), mode));
    written.map_err(|source| PkiError::File { path, source })
}

//! Certificate authorities, signing requests, signing keys, tokens.
//!
//! Our own keys are ECDSA P-256; requests and foreign certificates may hold RSA keys too. Certificates are written with
//! a few lines of DER of our own, since a name must keep every organization it is given, in order: Kubernetes reads them
//! as groups.

mod authority;
mod csr;
mod der;
mod error;
mod files;
mod identity;
mod renewed;
mod template;
mod tls;
mod token;
mod usage;

pub use authority::{Authority, KeyPair, SanName};
pub use csr::Csr;
pub use error::{PkiError, TokenError};
pub use files::{read_key_pair, write_key_pair};
pub use identity::{ClientVerifier, Identity};
pub use renewed::Renewed;
pub use tls::{ClientAuth, Shown, client_config, client_config_renewed, server_config};
pub use token::{TokenSigner, TokenVerifier};
pub use usage::Usage;

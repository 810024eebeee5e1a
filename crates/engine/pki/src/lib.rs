//! Certificate authorities, signing requests, signing keys, tokens.

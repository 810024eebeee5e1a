//! The AWS door: locate, decode, verify SigV4, authorize, run, encode.

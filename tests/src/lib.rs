//! End-to-end tests with unmodified clients.

//! The Kubernetes door: locate, authenticate, authorize, admit, the nine verbs, watch, discovery, tables.

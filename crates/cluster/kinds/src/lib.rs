//! The table of built-in kinds, a strategy file per kind with opinions, schema data.
//!
//! Knows: what a kind is made of ([`table::ROWS`]), what it defaults, forbids and shows, and what every cluster begins with
//! ([`bootstrap`]). Must not know: the store, HTTP, who watches. Words of messages are upstream's; where they come from is
//! `k8s.io/kubernetes` 1.33's `pkg/apis/*/validation`, and `tests/oracle` holds them to it.

pub mod bootstrap;
mod columns;
mod configmap;
mod csr;
pub mod event;
mod lease;
mod names;
mod namespace;
mod node;
mod pod;
mod quantity;
mod rbac;
pub mod schemas;
mod secret;
mod selector;
mod service;
mod serviceaccount;
mod shown;
pub mod table;
mod tree;

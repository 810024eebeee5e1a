//! The Kubernetes door: locate, authenticate, authorize, admit, the nine verbs, watch, discovery, tables.
//!
//! ```text
//! listen ─► locate ─► authenticate ─► authorize ─► route ─► verbs ─► admit ─► write ─► store ─► answer
//! ```

mod actions;
mod admit;
pub mod answer;
mod audit;
pub mod authenticate;
pub mod authorize;
pub mod call;
pub mod caller;
pub mod client;
pub mod connect;
mod decode;
mod deletion;
mod discovery;
pub mod door;
pub mod field;
mod flight;
pub mod following;
pub mod listen;
pub mod locate;
mod metadata;
pub mod names;
pub mod negotiate;
pub mod object;
pub mod openapi;
mod plain;
pub mod query;
mod references;
pub mod resource;
pub mod resources;
mod reviews;
mod route;
pub mod selector;
pub mod status;
pub mod strategy;
mod table;
pub mod tokens;
pub mod validating;
mod verbs;
mod write;

pub use caller::Caller;
pub use client::Client;
pub use door::{Door, Parts, Settings, Version};
pub use field::{FieldError, FieldErrors};
pub use resource::{Resource, Row, Sub, Verb};
pub use resources::Resources;
pub use status::{Status, StatusError};
pub use strategy::{Column, Context, Strategy, User};

//! The Kubernetes door: locate, authenticate, authorize, admit, the nine verbs, watch, discovery, tables.

pub mod field;
pub mod managed;
pub mod patch;
pub mod resource;
pub mod schema;
pub mod status;
pub mod strategy;

pub use field::{FieldError, FieldErrors};
pub use resource::{Resource, Row, Sub, Verb};
pub use status::{Status, StatusError};
pub use strategy::{Column, Context, Strategy, User};

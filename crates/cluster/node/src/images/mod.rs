//! Images: named, pulled from a registry, unpacked into one directory per layer, kept.

mod layers;
mod overlay;
mod reference;
mod registry;
mod store;
mod unpack;

pub use overlay::mount_layers;
pub use reference::{Reference, Version, is_digest};
pub use registry::{PullError, Puller};
pub use store::{Image, ImageConfig, Images};
pub use unpack::{UnpackError, unpack};

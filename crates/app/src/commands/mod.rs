//! The command line's own verbs, one file each.

mod doctor;
mod down;
mod env;
mod exec;
mod logs;
mod outpost;
mod reset;
mod status;

pub(crate) use doctor::doctor;
pub(crate) use down::down;
pub(crate) use env::env;
pub(crate) use exec::exec;
pub(crate) use logs::logs;
pub(crate) use outpost::outpost;
pub(crate) use reset::reset;
pub(crate) use status::status;

use anyhow::{Context, Result};

use crate::{layout::Layout, up::Running};

/// The running installation, or the reason why there is none.
fn running(layout: &Layout) -> Result<Running> {
    Running::find(layout)?
        .with_context(|| format!("nothing runs in {} (start it with `eksile up`)", layout.root().display()))
}

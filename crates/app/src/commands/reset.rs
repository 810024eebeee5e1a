use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
};

use anyhow::{Context, Result, bail};
use eksile_linux::tree::remove_tree;

use crate::{claim::Claim, cli::ResetArgs, layout::Layout, leftovers, world_config::WorldConfig};

/// `eksile reset`: removes what an installation has made. What others have put into the folder stays, and so does the
/// lock: who waits for it would otherwise hold the lock of a file that is gone.
pub(crate) fn reset(layout: &Layout, arguments: &ResetArgs) -> Result<()> {
    // A folder without settings of ours is none of ours, whatever lies in it.
    WorldConfig::load(layout)?;
    let _claim = Claim::take(layout)?;
    if !arguments.yes && !confirmed(layout.root())? {
        bail!("nothing was removed");
    }
    leftovers::remove(layout);
    layout.made().iter().try_for_each(|path| remove(path))
}

fn confirmed(root: &Path) -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("reset removes everything that the installation in {} has made: say --yes", root.display());
    }
    print!("Remove everything that the installation in {} has made? [y/N] ", root.display());
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// A file or a folder, which need not be there and may be of any depth; a symbolic link goes, and what it points to stays.
fn remove(path: &Path) -> Result<()> {
    remove_tree(path).with_context(|| format!("removing {}", path.display()))
}

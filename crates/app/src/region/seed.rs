//! What an account has before anybody asks: the user `admin`, the default VPC, the Outposts.

use anyhow::{Context, Result, anyhow};
use eksile_aws::{Fault, SystemMint};
use eksile_base::Clock;
use eksile_store::{Scope, Store, WriteError};

use crate::{credentials, layout::Layout, world_config::WorldConfig};

/// Brings it into the store; what is there already stays as it is.
pub(super) async fn seed(store: &Store, clock: &Clock, layout: &Layout, config: &WorldConfig) -> Result<()> {
    let keys = credentials::all(layout)?;
    let now = clock.now_wall();
    let zones = eksile_ec2::zones::zones(&config.region);
    let zone = zones.first().context("the Region has no Zones")?;
    let written = store
        .write(|txn| {
            for key in &keys {
                let pair = (key.access_key_id.clone(), key.secret_access_key.clone());
                eksile_iam::seed(txn, &SystemMint, now, &key.account, Some(pair))?;
                let scope = Scope::new(key.account.clone(), config.region.clone());
                eksile_ec2::seed(txn, &scope)?;
            }
            let scope = Scope::new(config.account.clone(), config.region.clone());
            for outpost in &config.outposts {
                eksile_outposts::seed(txn, &scope, outpost, (&zone.name, &zone.id))?;
            }
            Ok::<_, Fault>(())
        })
        .await;
    match written {
        Ok(_) => Ok(()),
        Err(WriteError::Refused(error)) => Err(anyhow!(error)).context("seeding the account"),
        Err(WriteError::Failed(error)) => Err(anyhow!(error)).context("seeding the account"),
    }
}

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eksile_aws::{Ask, Call, Command, Fault, Place, Reads, Shape};
use eksile_store::Txn;
use jiff::{SignedDuration, Timestamp};

use crate::names;
use crate::records::{Login, host};
use crate::shapes;

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>
#[derive(Shape)]
pub(super) struct GetAuthorizationToken {
    registry_ids: Vec<String>,
}

#[derive(Shape)]
pub(super) struct Output {
    authorization_data: Vec<Authorization>,
}

#[derive(Shape)]
struct Authorization {
    authorization_token: String,
    expires_at: Timestamp,
    proxy_endpoint: String,
}

const LIFETIME: SignedDuration = SignedDuration::from_hours(12);
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// How many old logins each new one looks at; their hashes are random, so any few will do.
const SWEPT: usize = 8;

impl Command for GetAuthorizationToken {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        for id in &self.registry_ids {
            shapes::own_registry(Some(id), call)?;
        }
        let password = call.mint.text(ALPHABET, 128);
        let login = Login {
            hash: names::digest_of(password.as_bytes()),
            caller: call.caller.clone(),
            region: call.scope.region.clone(),
            until: (call.wall + LIFETIME).as_second(),
        };
        sweep(txn, &login, call.wall)?;
        txn.put_record(&Login::scope(), &login)?;
        let proxy_endpoint = match call.vantage.place {
            Place::Fabric => format!("https://{}", host(&call.scope)),
            Place::Host => format!("{}://{}", if call.vantage.tls { "https" } else { "http" }, call.host),
        };
        Ok(Output {
            authorization_data: vec![Authorization {
                authorization_token: STANDARD.encode(format!("AWS:{password}")),
                expires_at: Timestamp::from_second(login.until).unwrap_or(Timestamp::MAX),
                proxy_endpoint,
            }],
        })
    }
}

fn sweep(txn: &mut Txn<'_>, login: &Login, wall: Timestamp) -> Result<(), Fault> {
    let scope = Login::scope();
    for entry in txn.scan(&scope.prefix::<Login>(), Some(&scope.key::<Login>(&login.hash)), SWEPT) {
        if entry.decode::<Login>()?.until <= wall.as_second() {
            txn.delete(&entry.key);
        }
    }
    Ok(())
}

//! What sites ask of the Region.

use std::pin::Pin;

use eksile_aws::{Origin, Reads, SystemMint};
use eksile_base::Clock;
use eksile_ec2::records::Instance;
use eksile_iam::Bearer;
use eksile_site::link::{Answerer, Question};
use eksile_store::{Store, WriteError};
use serde_json::{Value, json};

pub(super) struct Answers {
    pub store: Store,
    pub clock: Clock,
}

impl Answerer for Answers {
    fn answer<'a>(
        &'a self,
        site: &'a str,
        question: Question,
    ) -> Pin<Box<dyn Future<Output = Result<Value, String>> + Send + 'a>> {
        Box::pin(async move {
            match question {
                Question::InstanceCredentials { instance_id } => self.instance_credentials(site, &instance_id).await,
            }
        })
    }
}

impl Answers {
    /// The credentials document of the metadata service (EC2 user guide, "Retrieve security credentials from
    /// instance metadata"), and the role's name beside it.
    async fn instance_credentials(&self, site: &str, instance_id: &str) -> Result<Value, String> {
        let instances = self.store.view().all_records::<Instance>().map_err(|error| error.to_string())?;
        let found = instances.into_iter().find(|(_, i)| i.instance_id == instance_id && i.site == site);
        let (scope, instance) = found.ok_or_else(|| format!("{site} hosts no instance {instance_id}"))?;
        let profile = instance.instance_profile.ok_or("the instance has no profile")?;
        let now = self.clock.now_wall();
        let written = self
            .store
            .write(|txn| {
                let role = eksile_iam::role_of_profile(Reads::of(txn), &scope.account, &profile.arn)
                    .map_err(|error| error.to_string())?;
                let bearer = Bearer {
                    instance_id,
                    region: &scope.region,
                    profile_arn: &profile.arn,
                    profile_id: &profile.id,
                    origin: Origin {
                        instance_arn: format!("arn:aws:ec2:{}:{}:instance/{instance_id}", scope.region, scope.account),
                        vpc_id: instance.vpc_id.clone(),
                        private_ip: instance.private_ip.clone(),
                    },
                };
                let issued = eksile_iam::instance_credentials(txn, &SystemMint, now, &bearer);
                Ok((role.and_then(|(_, role)| role).map(|role| role.name), issued.map_err(|error| error.to_string())?))
            })
            .await;
        let (role, issued) = match written {
            Ok(committed) => committed.value,
            Err(WriteError::Refused(reason)) => return Err(reason),
            Err(WriteError::Failed(error)) => return Err(error.to_string()),
        };
        Ok(json!({
            "RoleName": role,
            "Code": "Success",
            "LastUpdated": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "Type": "AWS-HMAC",
            "AccessKeyId": issued.access_key_id,
            "SecretAccessKey": issued.secret_access_key,
            "Token": issued.session_token,
            "Expiration": issued.expiration.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }))
    }
}

//! What sites ask of the Region.

use std::{collections::HashMap, pin::Pin};

use eksile_aws::{Origin, Reads, SystemMint};
use eksile_base::Clock;
use eksile_ec2::records::{Instance, WantedInstanceState};
use eksile_iam::{Bearer, Credentials};
use eksile_site::link::{Answerer, Question};
use eksile_store::{Scope, Store, WriteError};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// How long an instance gets the same credentials again: they are made anew well before they end, so that who reads
/// them has hours left, and a flood of questions makes no flood of sessions.
const SAME: SignedDuration = SignedDuration::from_hours(1);

/// The Region's answers to its sites.
pub(super) struct Answers {
    store: Store,
    clock: Clock,
    /// By instance and delivery. Bounded by the instances that live.
    given: Mutex<HashMap<(String, String), Given>>,
}

/// Credentials that an instance has.
#[derive(Clone)]
struct Given {
    credentials: Credentials,
    since: Timestamp,
    role_name: String,
    /// Of this very role: one made anew under its name is another.
    role_id: String,
}

impl Answerer for Answers {
    fn answer<'a>(
        &'a self,
        site: &'a str,
        question: Question,
    ) -> Pin<Box<dyn Future<Output = Result<Value, String>> + Send + 'a>> {
        Box::pin(async move {
            match question {
                Question::InstanceCredentials { instance_id, delivery } => {
                    self.instance_credentials(site, &instance_id, &delivery).await
                }
            }
        })
    }
}

impl Answers {
    pub(super) fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, given: Mutex::default() }
    }

    /// The credentials document of the metadata service (EC2 user guide, "Retrieve security credentials from
    /// instance metadata"), and the role's name beside it.
    async fn instance_credentials(&self, site: &str, instance_id: &str, delivery: &str) -> Result<Value, String> {
        let (scope, instance) = self.hosted(site, instance_id)?;
        let now = self.clock.now_wall();
        // Held while one is made: whoever asks meanwhile gets the same.
        let mut all = self.given.lock().await;
        let key = (instance_id.to_owned(), delivery.to_owned());
        let kept = all.get(&key).filter(|kept| now >= kept.since && now < kept.since + SAME).cloned();
        let given = match kept {
            Some(kept) if self.role_id(&scope, &instance)?.as_ref() == Some(&kept.role_id) => kept,
            _ => {
                let given = self.make(&scope, &instance, delivery, now).await?;
                all.retain(|_, given| now < given.since + SAME);
                all.insert(key, given.clone());
                given
            }
        };
        let time = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Ok(json!({
            "RoleName": given.role_name,
            "Code": "Success",
            "LastUpdated": time(given.since),
            "Type": "AWS-HMAC",
            "AccessKeyId": given.credentials.access_key_id,
            "SecretAccessKey": given.credentials.secret_access_key,
            "Token": given.credentials.session_token,
            "Expiration": time(given.credentials.expiration),
        }))
    }

    /// A living instance of the site that asks. Another site's is none of its business.
    fn hosted(&self, site: &str, instance_id: &str) -> Result<(Scope, Instance), String> {
        let mut unreadable = None;
        for each in self.store.view().each_record::<Instance>() {
            match each {
                Ok((scope, i)) if i.instance_id == instance_id => {
                    if i.site == site && i.wanted != WantedInstanceState::Terminated {
                        return Ok((scope, i));
                    }
                }
                Ok(_) => {}
                Err(error) => drop(unreadable.get_or_insert(error)),
            }
        }
        let also = unreadable.map(|error| format!(", as far as can be read: {error}")).unwrap_or_default();
        Err(format!("{site} hosts no instance {instance_id}{also}"))
    }

    /// The role that is behind the instance's profile now.
    fn role_id(&self, scope: &Scope, instance: &Instance) -> Result<Option<String>, String> {
        let Some(profile) = &instance.instance_profile else { return Ok(None) };
        let view = self.store.view();
        let found = eksile_iam::role_of_profile(Reads::of(&view), &scope.account, &profile.arn);
        let Some((known, Some(role))) = found.map_err(|error| error.to_string())? else { return Ok(None) };
        Ok((known.instance_profile_id == profile.id).then_some(role.role_id))
    }

    async fn make(&self, scope: &Scope, of: &Instance, delivery: &str, now: Timestamp) -> Result<Given, String> {
        let profile = of.instance_profile.as_ref().ok_or("the instance has no profile")?;
        let arn = format!("arn:aws:ec2:{}:{}:instance/{}", scope.region, scope.account, of.instance_id);
        let origin = Origin {
            instance_arn: arn,
            delivery: delivery.to_owned(),
            vpc_id: of.vpc_id.clone(),
            private_ip: of.private_ip.clone(),
        };
        let bearer = Bearer {
            instance_id: &of.instance_id,
            region: &scope.region,
            profile_arn: &profile.arn,
            profile_id: &profile.id,
            origin,
        };
        let written = self.store.write(|txn| {
            let role = eksile_iam::role_of_profile(Reads::of(txn), &scope.account, &profile.arn)
                .map_err(|error| error.to_string())?
                .and_then(|(_, role)| role);
            let issued = eksile_iam::instance_credentials(txn, &SystemMint, now, &bearer);
            let credentials = issued.map_err(|error| error.to_string())?;
            let role = role.ok_or("the instance's profile has no role")?;
            Ok(Given { credentials, since: now, role_name: role.name, role_id: role.role_id })
        });
        match written.await {
            Ok(committed) => Ok(committed.value),
            Err(WriteError::Refused(reason)) => Err(reason),
            Err(WriteError::Failed(error)) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use eksile_store::RecordError;

    use super::*;

    fn instance(id: &str, site: &str) -> Instance {
        Instance {
            instance_id: id.to_owned(),
            reservation_id: String::new(),
            image_id: String::new(),
            instance_type: "m5.large".to_owned(),
            site: site.to_owned(),
            subnet_id: String::new(),
            vpc_id: String::new(),
            private_ip: String::new(),
            private_dns_name: String::new(),
            network_interface_ids: Vec::new(),
            key_name: None,
            instance_profile: None,
            user_data: None,
            role: eksile_ec2::records::InstanceRole::Worker,
            wanted: WantedInstanceState::Running,
            launch_time: 0,
            ami_launch_index: 0,
            metadata_options: eksile_ec2::records::MetadataOptions::default(),
            client_token: None,
            tags: eksile_ec2::records::Tags::new(),
        }
    }

    #[tokio::test]
    async fn an_instance_whose_record_cannot_be_read_keeps_no_other_from_its_credentials() {
        let (store, scope) = (Store::in_memory(), Scope::new("1", "us-west-2"));
        let seed = store.write(|txn| {
            txn.put(&scope.key::<Instance>("i-0"), "not a record");
            txn.put_record(&scope, &instance("i-1", "op-1"))?;
            Ok::<_, RecordError>(())
        });
        seed.await.unwrap();
        let answers = Answers::new(store, Clock::system());
        assert_eq!(answers.hosted("op-1", "i-1").unwrap().0, scope);
        assert!(answers.hosted("op-2", "i-1").is_err(), "another site's is none of its business");
        assert!(answers.hosted("op-1", "i-0").unwrap_err().contains("i-0,"), "what cannot be read is told");
    }
}

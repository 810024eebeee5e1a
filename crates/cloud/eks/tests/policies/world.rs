//! A door to every service but the registry, with two accounts, and callers whose policies a test chooses.

use std::sync::Arc;

use bytes::Bytes;
use eksile_aws::{Door, SystemMint, Vantage};
use eksile_base::Clock;
use eksile_iam::IamDirectory;
use eksile_kit::Signer;
use eksile_store::{Scope, Store};
use http::Response;
use jiff::Timestamp;

pub(crate) const REGION: &str = "us-west-2";
pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER: &str = "444455556666";

/// Credentials: key, secret, token.
#[derive(Clone)]
pub(crate) struct Keys(pub(crate) String, pub(crate) String, pub(crate) Option<String>);

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) door: Door,
    pub(crate) admin: Keys,
    pub(crate) stranger: Keys,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The text of the first element of that name.
    pub(crate) fn text(&self, name: &str) -> String {
        let opened = self.body.split_once(&format!("<{name}>"));
        let text = opened.and_then(|(_, rest)| rest.split_once(&format!("</{name}>"))).map(|(text, _)| text);
        text.unwrap_or_else(|| panic!("no {name} in {}", self.body)).to_owned()
    }

    /// It did what was asked.
    #[track_caller]
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.body);
        self
    }

    /// Policies refused it.
    #[track_caller]
    pub(crate) fn is_denied(&self) {
        let codes = ["UnauthorizedOperation", "AccessDenied"];
        assert!(codes.iter().any(|code| self.body.contains(code)), "{} {}", self.status, self.body);
    }

    /// Policies let it through, whatever became of it.
    #[track_caller]
    pub(crate) fn is_let(&self) {
        assert!(!self.body.contains("UnauthorizedOperation") && !self.body.contains("AccessDenied"), "{}", self.body);
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        let (store, clock) = (Store::in_memory(), Clock::manual("2026-01-02T03:04:05Z".parse().unwrap()));
        let mut keys = Vec::new();
        for account in [ACCOUNT, OTHER] {
            let seeded = store.write(|txn| eksile_iam::seed(txn, &SystemMint, clock.now(), account, None)).await;
            let (id, secret) = seeded.unwrap().value;
            keys.push(Keys(id, secret, None));
            let scope = Scope::new(account, REGION);
            store.write(|txn| eksile_ec2::seed(txn, &scope)).await.unwrap();
        }
        let door = door(&store, &clock);
        let stranger = keys.pop().unwrap();
        Self { store, clock, door, admin: keys.pop().unwrap(), stranger }
    }

    /// A query of IAM, STS or EC2.
    pub(crate) async fn query(&self, keys: &Keys, service: &str, form: &str) -> Answer {
        self.query_at(&self.door, keys, service, form).await
    }

    /// The same at another door to the same records.
    pub(crate) async fn query_at(&self, door: &Door, keys: &Keys, service: &str, form: &str) -> Answer {
        let version = match service {
            "iam" => "2010-05-08",
            "sts" => "2011-06-15",
            _ => "2016-11-15",
        };
        let body = format!("{form}&Version={version}");
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        headers.extend(keys.2.as_deref().map(|token| ("x-amz-security-token", token)));
        let signer = Signer { access_key_id: &keys.0, secret: &keys.1, service, region: REGION };
        let request = signer.post_at(self.now(), &headers, &body);
        told(&door.handle(request, Vantage::host()).await)
    }

    pub(crate) async fn ec2(&self, keys: &Keys, form: &str) -> Answer {
        self.query(keys, "ec2", form).await
    }

    pub(crate) async fn iam(&self, form: &str) -> Answer {
        self.query(&self.admin, "iam", form).await
    }

    /// `POST PATH` at EKS.
    pub(crate) async fn eks(&self, keys: &Keys, path: &str, body: &str) -> Answer {
        let signer = Signer { access_key_id: &keys.0, secret: &keys.1, service: "eks", region: REGION };
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(keys.2.as_deref().map(|token| ("x-amz-security-token", token)));
        let request = signer.request(self.now(), "POST", path, &headers, body);
        told(&self.door.handle(request, Vantage::host()).await)
    }

    fn now(&self) -> Timestamp {
        self.clock.now_wall()
    }

    /// A user of that name with one inline policy, `{"Version":…,"Statement":[STATEMENTS]}`.
    pub(crate) async fn user(&self, name: &str, statements: &str) -> Keys {
        self.iam(&format!("Action=CreateUser&UserName={name}")).await.good();
        self.policy("User", name, statements).await.good();
        let key = self.iam(&format!("Action=CreateAccessKey&UserName={name}")).await.good();
        Keys(key.text("AccessKeyId"), key.text("SecretAccessKey"), None)
    }

    /// Puts the inline policy of a user or role.
    pub(crate) async fn policy(&self, kind: &str, name: &str, statements: &str) -> Answer {
        let document = encoded(&policy(statements));
        let form = format!("Action=Put{kind}Policy&{kind}Name={name}&PolicyName=p&PolicyDocument={document}");
        self.iam(&form).await
    }

    /// A role with a trust statement's principal, and an inline policy.
    pub(crate) async fn role(&self, name: &str, trust: &str, statements: &str) -> String {
        let trust = encoded(&policy(trust));
        let form = format!("Action=CreateRole&RoleName={name}&AssumeRolePolicyDocument={trust}");
        let made = self.iam(&form).await.good();
        self.policy("Role", name, statements).await.good();
        made.text("Arn")
    }

    /// Credentials of a session; `rest` is added to the call.
    pub(crate) async fn assumed(&self, keys: &Keys, role_arn: &str, rest: &str) -> Result<Keys, Answer> {
        let form = format!("Action=AssumeRole&RoleArn={role_arn}&RoleSessionName=sn{rest}");
        let answer = self.query(keys, "sts", &form).await;
        if answer.status != 200 {
            return Err(answer);
        }
        let token = Some(answer.text("SessionToken"));
        Ok(Keys(answer.text("AccessKeyId"), answer.text("SecretAccessKey"), token))
    }
}

/// A door to these records.
pub(crate) fn door(store: &Store, clock: &Clock) -> Door {
    let services = vec![
        &eksile_ec2::SERVICE,
        &eksile_eks::SERVICE,
        &eksile_outposts::SERVICE,
        &eksile_iam::SERVICE,
        &eksile_iam::sts::SERVICE,
    ];
    Door::new(REGION, services, store.clone(), clock.clone(), Arc::new(IamDirectory::default()))
}

pub(crate) fn policy(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn told(response: &Response<Bytes>) -> Answer {
    Answer { status: response.status().as_u16(), body: String::from_utf8(response.body().to_vec()).unwrap() }
}

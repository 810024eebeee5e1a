//! A door with a few operations, and one user whose policies a test chooses.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use eksile_aws::inputs::{Filter, Tag, TagSpecification, filtered, specified_tags};
use eksile_aws::policy::Document;
use eksile_aws::shape::Case;
use eksile_aws::{
    Ask, Call, Caller, Command, CountedMint, Credential, Directory, Door, Fault, Lookup, Operation, Policies,
    Principal, Protocol, Reads, Service, Shape, Vantage,
};
use eksile_base::Clock;
use eksile_kit::Signer;
use eksile_store::{Record, RecordError, Store, Txn, View};
use http::{Request, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) const KEY: &str = "AKIATEST";

#[derive(Serialize, Deserialize)]
struct Vpc {
    id: String,
    tags: std::collections::BTreeMap<String, String>,
}

impl Record for Vpc {
    const SERVICE: &'static str = "ec2";
    const KIND: &'static str = "vpc";

    fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Shape)]
struct VpcShape {
    vpc_id: String,
    #[shape(output = "tagSet")]
    tags: Vec<Tag>,
}

fn shown(vpc: &Vpc) -> VpcShape {
    let tags = vpc.tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
    VpcShape { vpc_id: vpc.id.clone(), tags }
}

/// `RunInstances` has an idempotency token in EC2's model; here it makes VPCs.
#[derive(Shape)]
struct RunInstances {
    min_count: i32,
    #[shape(input = "TagSpecification")]
    tag_specifications: Vec<TagSpecification>,
    instance_type: Option<Type>,
    #[shape(input = "IamInstanceProfile")]
    profile: Option<Profile>,
}

#[derive(Shape)]
struct Profile {
    name: Option<String>,
}

#[derive(Shape)]
enum Type {
    #[shape(name = "m5.large")]
    Large,
}

#[derive(Shape)]
struct Made {
    vpc: VpcShape,
}

impl Command for RunInstances {
    type Output = Made;

    fn asks(&self, call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let vpc = Ask::to(call.arn("ec2", "vpc/*"));
        let profile = self.profile.as_ref().and_then(|profile| profile.name.as_deref());
        Ok(match profile {
            Some("unreadable") => {
                let fault = Fault::server("InternalFailure", 500, "The profile cannot be read");
                vec![Ask::to(call.arn("iam", "instance-profile/*")).failing(Some(fault)), vpc]
            }
            _ => vec![vpc],
        })
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Made, Fault> {
        if self.min_count < 1 {
            return Err(Fault::client("InvalidParameterValue", 400, "Value (<0>) for MinCount & more"));
        }
        let vpc = Vpc { id: call.id("vpc"), tags: specified_tags(&self.tag_specifications, "vpc")? };
        txn.put_record(&call.scope, &vpc)?;
        Ok(Made { vpc: shown(&vpc) })
    }
}

#[derive(Shape)]
struct DescribeVpcs {
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
}

#[derive(Shape)]
struct Listed {
    #[shape(output = "vpcSet")]
    vpcs: Vec<VpcShape>,
}

impl Lookup for DescribeVpcs {
    type Output = Listed;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Listed, Fault> {
        let vpcs = filtered(
            view.records::<Vpc>(&call.scope)?,
            &self.filters,
            |name| name == "vpc-id" || name.starts_with("tag:"),
            |vpc, name| match name.strip_prefix("tag:") {
                Some(key) => Some(vpc.tags.get(key).cloned().into_iter().collect()),
                None => (name == "vpc-id").then(|| vec![vpc.id.clone()]),
            },
        )?;
        Ok(Listed { vpcs: vpcs.iter().map(shown).collect() })
    }
}

/// Two services with an operation that only echoes, for their protocols' sake.
#[derive(Shape)]
struct DescribeCluster {
    name: String,
}

#[derive(Shape)]
struct Echo {
    name: String,
    created_at: Timestamp,
}

impl Lookup for DescribeCluster {
    type Output = Echo;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, _view: &View) -> Result<Echo, Fault> {
        if self.name == "missing" {
            return Err(Fault::client("ResourceNotFoundException", 404, "No cluster found for name: missing.")
                .with("clusterName", "missing"));
        }
        Ok(Echo { name: self.name, created_at: call.now })
    }
}

#[derive(Shape)]
struct DescribeRepositories {
    repository_names: Vec<String>,
}

#[derive(Shape)]
struct Names {
    repositories: Vec<String>,
}

impl Lookup for DescribeRepositories {
    type Output = Names;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, _call: &Call<'_>, _view: &View) -> Result<Names, Fault> {
        Ok(Names { repositories: self.repository_names })
    }
}

static EC2: Service = Service {
    name: "ec2",
    protocol: Protocol::Ec2,
    version: "2016-11-15",
    global: false,
    invalid: "InvalidParameterValue",
    operations: &[Operation::command::<RunInstances>(), Operation::lookup::<DescribeVpcs>()],
};

static EKS: Service = Service {
    name: "eks",
    protocol: Protocol::RestJson(Case::Camel),
    version: "2017-11-01",
    global: false,
    invalid: "InvalidParameterException",
    operations: &[Operation::lookup::<DescribeCluster>()],
};

static ECR: Service = Service {
    name: "ecr",
    protocol: Protocol::Json { target: "AmazonEC2ContainerRegistry_V20150921", case: Case::Camel },
    version: "2015-09-21",
    global: false,
    invalid: "InvalidParameterException",
    operations: &[Operation::lookup::<DescribeRepositories>()],
};

/// One user, whose policies change from test to test.
struct OneUser(Mutex<Policies>);

impl Directory for OneUser {
    fn credential(&self, _state: Reads<'_>, access_key_id: &str) -> Result<Option<Credential>, RecordError> {
        let caller = Caller {
            account: "111122223333".to_owned(),
            arn: "arn:aws:iam::111122223333:user/dev".to_owned(),
            user_id: "AIDADEV".to_owned(),
            access_key_id: KEY.to_owned(),
            principal: Principal::User { name: "dev".to_owned() },
        };
        let credential = Credential { secret: "secret".to_owned(), session_token: None, expires: None, caller };
        Ok((access_key_id == KEY).then_some(credential))
    }

    fn policies(&self, _state: Reads<'_>, _caller: &Caller) -> Result<Policies, RecordError> {
        Ok(self.0.lock().unwrap().clone())
    }
}

pub(crate) struct World {
    pub(crate) door: Door,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    directory: Arc<OneUser>,
}

impl World {
    /// The user may do all.
    pub(crate) fn new() -> Self {
        let clock = Clock::manual("2026-01-02T03:04:05Z".parse().unwrap());
        let store = Store::in_memory();
        let directory = Arc::new(OneUser(Mutex::default()));
        let door = Door::new("us-west-2", vec![&EC2, &EKS, &ECR], store.clone(), clock.clone(), directory.clone())
            .with_mint(Arc::new(CountedMint::default()));
        let world = Self { door, clock, store, directory };
        world.allow(r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#);
        world
    }

    /// The user's only policy from now on.
    pub(crate) fn allow(&self, document: &str) {
        self.directory.0.lock().unwrap().identity = vec![Arc::new(Document::identity(document).unwrap())];
    }

    fn signer(service: &str) -> Signer<'_> {
        Signer { access_key_id: KEY, secret: "secret", service, region: "us-west-2" }
    }

    pub(crate) fn ec2_request(&self, parameters: &str) -> Request<Bytes> {
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let body = format!("{parameters}&Version=2016-11-15");
        Self::signer("ec2").post_at(self.clock.now_wall(), &form, &body)
    }

    /// Status and body of an EC2 call.
    pub(crate) async fn ec2(&self, parameters: &str) -> (u16, String) {
        told(&self.door.handle(self.ec2_request(parameters), Vantage::host()).await)
    }

    /// Status and body of an ECR call.
    pub(crate) async fn ecr(&self, operation: &str, body: &str) -> (u16, String) {
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &*target)];
        let request = Self::signer("ecr").post_at(self.clock.now_wall(), &headers, body);
        told(&self.door.handle(request, Vantage::host()).await)
    }

    /// Status, error type and body of `GET PATH` at EKS.
    pub(crate) async fn eks(&self, path: &str) -> (u16, String, String) {
        let request = Self::signer("eks").get_at(self.clock.now_wall(), path);
        let response = self.door.handle(request, Vantage::host()).await;
        let kind = response.headers().get("x-amzn-errortype").map(|kind| kind.to_str().unwrap().to_owned());
        let (status, body) = told(&response);
        (status, kind.unwrap_or_default(), body)
    }
}

fn told(response: &Response<Bytes>) -> (u16, String) {
    (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
}

/// The text of an XML element.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

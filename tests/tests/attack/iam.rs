//! Around IAM's denials, and into roles, with the `aws` command line.

use eksile_tests::installation::Done;
use serde_json::Value;

use crate::{Chapter, Target};

pub(crate) const CHAPTERS: &[Chapter] = &[
    ("a user made anew is whom a role trusts", a_user_made_anew_is_trusted_no_more),
    ("a denial by tags, VPC, type, image or group is passed by", denials_deny),
    ("a narrowed session becomes a role that trusts its role", a_narrowed_session_stays_narrow),
    ("a policy is kept that cannot be evaluated", what_cannot_be_evaluated_is_not_kept),
    ("a denial by Region or tag is passed by with another scope or other capitals", a_claim_is_no_fact),
    ("a session chooses who it is in a cluster", nobody_chooses_who_they_are_in_a_cluster),
    ("a node's policy tags what is no interface", a_node_tags_its_interfaces),
];

const ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;

fn policy(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

fn trusting(arn: &str) -> String {
    policy(&format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{arn}"}},"Action":"sts:AssumeRole"}}"#))
}

/// Credentials of somebody.
struct Keys {
    id: String,
    secret: String,
    token: Option<String>,
}

impl Keys {
    fn of(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        Self { id: text("AccessKeyId").unwrap(), secret: text("SecretAccessKey").unwrap(), token: text("SessionToken") }
    }

    fn aws(&self, target: &Target, words: &[&str]) -> Done {
        self.runs(target, "aws", words)
    }

    /// Runs a program with these credentials.
    fn runs(&self, target: &Target, program: &str, words: &[&str]) -> Done {
        let mut variables = vec![("AWS_ACCESS_KEY_ID", &*self.id), ("AWS_SECRET_ACCESS_KEY", &self.secret)];
        variables.extend(self.token.as_deref().map(|token| ("AWS_SESSION_TOKEN", token)));
        target.at.client_with(program, words, &variables)
    }

    fn becomes(&self, target: &Target, role: &str, more: &[&str]) -> Result<Self, String> {
        let words = ["sts", "assume-role", "--role-session-name", "attack", "--role-arn", role];
        let done = self.aws(target, &[&words[..], more].concat());
        if !done.ok {
            return Err(done.err);
        }
        Ok(Self::of(&serde_json::from_str::<Value>(&done.out).unwrap()["Credentials"]))
    }
}

/// A user with one inline policy `p`.
fn user(target: &Target, name: &str, statements: &str) -> Keys {
    target.at.aws(&format!("iam create-user --user-name {name}")).good();
    may(target, name, statements);
    Keys::of(&target.at.aws(&format!("iam create-access-key --user-name {name}")).json()["AccessKey"])
}

fn may(target: &Target, name: &str, statements: &str) {
    let document = policy(statements);
    let words = ["iam", "put-user-policy", "--user-name", name, "--policy-name", "p", "--policy-document", &document];
    target.at.client("aws", &words).good();
}

fn role(target: &Target, name: &str, trust: &str) -> String {
    let words = ["iam", "create-role", "--role-name", name, "--assume-role-policy-document", trust];
    target.at.client("aws", &words).json()["Role"]["Arn"].as_str().unwrap().to_owned()
}

fn gone(target: &Target, name: &str, keys: &Keys) {
    target.at.aws(&format!("iam delete-access-key --user-name {name} --access-key-id {}", keys.id)).good();
    target.at.aws(&format!("iam delete-user-policy --user-name {name} --policy-name p")).good();
    target.at.aws(&format!("iam delete-user --user-name {name}")).good();
}

#[track_caller]
fn denied(outcome: Result<Keys, String>) {
    let error = outcome.map(|keys| keys.id).unwrap_err();
    assert!(error.contains("AccessDenied"), "{error}");
}

fn a_user_made_anew_is_trusted_no_more(target: &Target) {
    let old = user(target, "attack-u1", ALL);
    let arn = target.at.aws("iam get-user --user-name attack-u1").json()["User"]["Arn"].as_str().unwrap().to_owned();
    let role = role(target, "attack-r1", &trusting(&arn));
    old.becomes(target, &role, &[]).unwrap();
    gone(target, "attack-u1", &old);
    let new = user(target, "attack-u1", ALL);
    denied(new.becomes(target, &role, &[]));
    let shown = target.at.aws("iam get-role --role-name attack-r1").json()["Role"]["AssumeRolePolicyDocument"].clone();
    let principal = shown["Statement"][0]["Principal"]["AWS"].as_str().unwrap();
    assert!(principal.starts_with("AIDA"), "{shown}");
    gone(target, "attack-u1", &new);
    target.at.aws("iam delete-role --role-name attack-r1").good();
}

fn denials_deny(target: &Target) {
    let at = &target.at;
    let dev = user(target, "attack-u2", ALL);
    let tags = "ResourceType=vpc,Tags=[{Key=env,Value=prod}]";
    let vpc = at.aws(&format!("ec2 create-vpc --cidr-block 10.77.0.0/16 --tag-specifications {tags}")).json();
    let vpc = vpc["Vpc"]["VpcId"].as_str().unwrap().to_owned();
    let subnet = at.aws(&format!("ec2 create-subnet --vpc-id {vpc} --cidr-block 10.77.1.0/24")).json();
    let subnet = subnet["Subnet"]["SubnetArn"].as_str().unwrap().to_owned();
    let vpc_arn = format!("{}:vpc/{vpc}", subnet.rsplit_once(':').unwrap().0);
    let images = at.aws("ec2 describe-images --owners amazon").json();
    let image = images["Images"][0]["ImageId"].as_str().unwrap().to_owned();
    let subnet_id = subnet.rsplit('/').next().unwrap();
    let launch =
        format!("ec2 run-instances --dry-run --instance-type m5.large --subnet-id {subnet_id} --image-id {image}");
    let make = format!("ec2 create-subnet --dry-run --vpc-id {vpc} --cidr-block 10.77.2.0/24");
    let denial = |action: &str, resource: &str, condition: &str| {
        format!(r#"{ALL},{{"Effect":"Deny","Action":"{action}","Resource":"{resource}","Condition":{{{condition}}}}}"#)
    };
    for (words, statements) in [
        (&launch, denial("ec2:RunInstances", "*", &format!(r#""ArnEquals":{{"ec2:Vpc":"{vpc_arn}"}}"#))),
        (&launch, denial("ec2:RunInstances", "*", r#""StringEquals":{"ec2:InstanceType":"m5.large"}"#)),
        (&launch, denial("ec2:RunInstances", &subnet, "")),
        (&launch, denial("ec2:RunInstances", "arn:aws:ec2:*:*:security-group/*", "")),
        (&launch, denial("ec2:RunInstances", "arn:aws:ec2:*:*:network-interface/*", "")),
        (&launch, denial("ec2:RunInstances", &format!("arn:aws:ec2:*::image/{image}"), "")),
        (&make, denial("ec2:CreateSubnet", "*", r#""StringEquals":{"aws:ResourceTag/env":"prod"}"#)),
        (&make, denial("ec2:*", "*", r#""StringEqualsIfExists":{"aws:PrincipalTag/team":"red"}"#)),
    ] {
        may(target, "attack-u2", &statements);
        let error = dev.aws(target, &words.split_whitespace().collect::<Vec<_>>()).bad();
        assert!(error.contains("UnauthorizedOperation"), "{statements}: {error}");
    }
    at.aws(&format!("ec2 delete-subnet --subnet-id {subnet_id}")).good();
    at.aws(&format!("ec2 delete-vpc --vpc-id {vpc}")).good();
    gone(target, "attack-u2", &dev);
}

fn a_narrowed_session_stays_narrow(target: &Target) {
    let dev = user(target, "attack-u3", ALL);
    let arn = target.at.aws("iam get-user --user-name attack-u3").json()["User"]["Arn"].as_str().unwrap().to_owned();
    let first = role(target, "attack-r3", &trusting(&arn));
    let second = role(target, "attack-s3", &trusting(&first));
    let narrow = policy(r#"{"Effect":"Allow","Action":"eks:ListClusters","Resource":"*"}"#);
    dev.becomes(target, &first, &[]).unwrap().becomes(target, &second, &[]).unwrap();
    let narrowed = dev.becomes(target, &first, &["--policy", &narrow]).unwrap();
    denied(narrowed.becomes(target, &second, &[]));
    for name in ["attack-r3", "attack-s3"] {
        target.at.aws(&format!("iam delete-role --role-name {name}")).good();
    }
    gone(target, "attack-u3", &dev);
}

fn what_cannot_be_evaluated_is_not_kept(target: &Target) {
    let condition = r#""Condition":{"StringEqualsIfExists":{"aws:NotThere":"x"}}"#;
    for statement in [
        format!(r#"{{"Effect":"Deny","Action":"*","Resource":"*",{condition}}}"#),
        r#"{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}"#.to_owned(),
        r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/99"}}}"#
            .to_owned(),
    ] {
        let document = policy(&statement);
        let words = ["iam", "create-policy", "--policy-name", "attack-p", "--policy-document", &document];
        let error = target.at.client("aws", &words).bad();
        assert!(error.contains("MalformedPolicyDocument"), "{error}");
    }
}

fn a_claim_is_no_fact(target: &Target) {
    let at = &target.at;
    let dev = user(target, "attack-u6", ALL);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let run = |line: &str| dev.aws(target, &words(line).iter().map(String::as_str).collect::<Vec<_>>());
    for region in ["eu-west-1", "us-east-1", "mars"] {
        let error = run(&format!("ec2 describe-vpcs --region {region}")).bad();
        assert!(error.contains("AuthFailure"), "{region}: {error}");
    }
    run("ec2 describe-vpcs").good();
    let denial = |action: &str, condition: &str| {
        format!(r#"{ALL},{{"Effect":"Deny","Action":"{action}","Resource":"*","Condition":{{{condition}}}}}"#)
    };
    // IAM is in us-east-1, whatever the client is set to.
    may(target, "attack-u6", &denial("iam:*", r#""StringEquals":{"aws:RequestedRegion":"us-east-1"}"#));
    for region in ["us-east-1", "us-west-2"] {
        assert!(run(&format!("iam get-user --region {region}")).bad().contains("AccessDenied"), "{region}");
    }
    let vpc = at.aws(
        "ec2 create-vpc --cidr-block 10.78.0.0/16 --tag-specifications ResourceType=vpc,Tags=[{Key=env,Value=prod}]",
    );
    let vpc = vpc.json()["Vpc"]["VpcId"].as_str().unwrap().to_owned();
    let not_test = r#""StringNotEquals":{"aws:ResourceTag/env":"test"}"#;
    may(target, "attack-u6", &denial("ec2:DeleteVpc", not_test));
    run(&format!("ec2 create-tags --resources {vpc} --tags Key=ENV,Value=test")).good();
    assert!(run(&format!("ec2 delete-vpc --vpc-id {vpc}")).bad().contains("UnauthorizedOperation"));
    may(target, "attack-u6", &denial("ec2:DeleteTags", r#""ForAnyValue:StringEquals":{"aws:TagKeys":"env"}"#));
    assert!(run(&format!("ec2 delete-tags --resources {vpc}")).bad().contains("UnauthorizedOperation"));
    at.aws("iam tag-user --user-name attack-u6 --tags Key=dept,Value=a").good();
    at.aws("iam tag-user --user-name attack-u6 --tags Key=DEPT,Value=b").good();
    let tags = at.aws("iam list-user-tags --user-name attack-u6").json();
    assert_eq!(tags["Tags"], serde_json::json!([{"Key": "DEPT", "Value": "b"}]));
    at.aws(&format!("ec2 delete-vpc --vpc-id {vpc}")).good();
    gone(target, "attack-u6", &dev);
}

fn nobody_chooses_who_they_are_in_a_cluster(target: &Target) {
    let at = &target.at;
    let dev = user(target, "attack-u4", ALL);
    let arn = at.aws("iam get-user --user-name attack-u4").json()["User"]["Arn"].as_str().unwrap().to_owned();
    let role = role(target, "attack-r4", &trusting(&arn));
    let entry = ["eks", "create-access-entry", "--cluster-name", "my-cluster", "--principal-arn", &role];
    for more in [
        &["--kubernetes-groups", "{{SessionName}}:masters"][..],
        &["--kubernetes-groups", "system:{{SessionName}}"],
        &["--username", "{{SessionNameRaw}}:serviceaccount:kube-system:{{SessionName}}"],
        &["--username", "{{SessionNameRaw}}:{{SessionName}}"],
        &["--type", "HYBRID_LINUX"],
        &["--type", "HYPERPOD_LINUX"],
        &["--type", "FARGATE_LINUX"],
    ] {
        let error = at.client("aws", &[&entry[..], more].concat()).bad();
        assert!(error.contains("InvalidParameterException"), "{more:?}: {error}");
    }
    at.client("aws", &[&entry[..], &["--username", "dev:{{SessionName}}"]].concat()).good();
    let session = dev.becomes(target, &role, &["--role-session-name", "system"]).unwrap();
    let kubeconfig = at.kubeconfig().display().to_string();
    let who = session.runs(target, "kubectl", &["--kubeconfig", &kubeconfig, "auth", "whoami", "-o", "json"]).json();
    assert_eq!(who["status"]["userInfo"]["username"], "dev:system", "{who}");
    assert_eq!(who["status"]["userInfo"]["groups"], serde_json::json!(["system:authenticated"]), "{who}");
    // A session that bears a node's or an instance's name is not let in as the node's role.
    at.aws(&format!("eks delete-access-entry --cluster-name my-cluster --principal-arn {role}")).good();
    at.client("aws", &[&entry[..], &["--type", "EC2_LINUX"]].concat()).good();
    let nodes = at.aws("ec2 describe-instances --query Reservations[].Instances[].[InstanceId,PrivateDnsName]").json();
    for name in nodes.as_array().unwrap().iter().flat_map(|pair| pair.as_array().unwrap()) {
        let session = dev.becomes(target, &role, &["--role-session-name", name.as_str().unwrap()]).unwrap();
        let error = session.runs(target, "kubectl", &["--kubeconfig", &kubeconfig, "auth", "whoami"]).bad();
        assert!(error.contains("Unauthorized") || error.contains("must be logged in"), "{name}: {error}");
    }
    at.aws(&format!("eks delete-access-entry --cluster-name my-cluster --principal-arn {role}")).good();
    at.aws("iam delete-role --role-name attack-r4").good();
    gone(target, "attack-u4", &dev);
}

fn a_node_tags_its_interfaces(target: &Target) {
    let at = &target.at;
    let node = user(target, "attack-u5", r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#);
    let policies = ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"];
    let each = |verb: &str| {
        for policy in policies {
            let arn = format!("arn:aws:iam::aws:policy/{policy}");
            at.aws(&format!("iam {verb}-user-policy --user-name attack-u5 --policy-arn {arn}")).good();
        }
    };
    each("attach");
    let ids = at.aws("ec2 describe-instances --query Reservations[].Instances[].[InstanceId,VpcId,SubnetId]").json();
    for id in ids.as_array().unwrap().iter().flat_map(|ids| ids.as_array().unwrap()) {
        let words = ["ec2", "create-tags", "--tags", "Key=env,Value=dev", "--resources", id.as_str().unwrap()];
        let error = node.aws(target, &words).bad();
        assert!(error.contains("UnauthorizedOperation"), "{id}: {error}");
    }
    each("detach");
    gone(target, "attack-u5", &node);
}

//! No operation forgets to ask: each member of an input that names something is in what the operation asks of the
//! policies, or is listed here with the reason why it need not be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eksile_aws::policy::keys::is_built;
use eksile_aws::shape::{Case, Problem, Tree};
use eksile_aws::{Call, Caller, CountedMint, Operation, Reads, Service, Vantage};
use eksile_store::{Scope, Store};
use jiff::Timestamp;

use crate::world::{ACCOUNT, REGION};

/// `OPERATION MEMBER`, and why policies are not asked about it under that name.
const EXEMPT: &[(&str, &str)] = &[
    // Found out by what is there: the resource behind it is asked about (tests in `denied.rs`).
    ("AuthorizeSecurityGroupIngress GroupName", "the group of that name is"),
    ("DeleteSecurityGroup GroupName", "the group of that name is"),
    ("RevokeSecurityGroupIngress GroupName", "the group of that name is"),
    ("RunInstances SecurityGroup", "the group of that name is"),
    ("DisassociateAddress AssociationId", "the address is"),
    ("DisassociateRouteTable AssociationId", "the table is"),
    ("RevokeSecurityGroupEgress SecurityGroupRuleId", "the group whose rule it is is"),
    ("RevokeSecurityGroupIngress SecurityGroupRuleId", "the group whose rule it is is"),
    // AWS's reference knows no resource for it.
    ("CreateRoute GatewayId", "AWS asks about the table alone"),
    ("CreateRoute LocalGatewayId", "AWS asks about the table alone"),
    ("CreateRoute NatGatewayId", "AWS asks about the table alone"),
    ("CreateRoute NetworkInterfaceId", "AWS asks about the table alone"),
    ("RemoveRoleFromInstanceProfile RoleName", "AWS asks about the profile alone"),
    ("CreateSecurityGroup GroupName", "groups are asked about by id, and this one has none yet"),
    ("CreateSubnet AvailabilityZoneId", "a Zone is no resource"),
    ("CreateSubnet OutpostArn", "AWS asks about the subnet and the VPC alone"),
    ("CreateCluster resourcesVpcConfig.securityGroupIds", "AWS asks about the cluster alone"),
    ("CreateCluster resourcesVpcConfig.subnetIds", "AWS asks about the cluster alone"),
    ("CreateCluster outpostConfig.outpostArns", "AWS asks about the cluster alone"),
    ("CreateCluster outpostConfig.controlPlanePlacement.groupName", "AWS asks about the cluster alone"),
    ("CreateCluster encryptionConfig.provider.keyArn", "KMS, which is not built, would be asked"),
    ("ListAccessEntries associatedPolicyArn", "a filter"),
    ("CreateRepository registryId", "another account's is refused"),
    ("DeleteRepository registryId", "another account's is refused"),
    ("DescribeRepositories registryId", "another account's is refused"),
    ("GetAuthorizationToken registryIds", "another account's is refused"),
    ("ListImages registryId", "another account's is refused"),
    // The entity is the resource, a policy's name is within it.
    ("DeleteRolePolicy PolicyName", "an inline policy is no resource"),
    ("DeleteUserPolicy PolicyName", "an inline policy is no resource"),
    ("GetRolePolicy PolicyName", "an inline policy is no resource"),
    ("GetUserPolicy PolicyName", "an inline policy is no resource"),
    ("PutRolePolicy PolicyName", "an inline policy is no resource"),
    ("PutUserPolicy PolicyName", "an inline policy is no resource"),
    ("DeletePolicyVersion VersionId", "a version is no resource"),
    ("GetPolicyVersion VersionId", "a version is no resource"),
    ("SetDefaultPolicyVersion VersionId", "a version is no resource"),
    ("DeleteAccessKey AccessKeyId", "the user is asked about"),
    ("UpdateAccessKey AccessKeyId", "the user is asked about"),
    ("AssumeRole PolicyArns.arn", "it can only narrow the session"),
];

/// The peers of a rule: AWS asks about the group whose rule it is alone.
fn is_peer(path: &str) -> bool {
    path.starts_with("IpPermissions.")
}

/// What a simulation is about is a question, no resource.
fn is_question(operation: &str, path: &str) -> bool {
    operation.starts_with("Simulate") && path != "PolicySourceArn"
}

/// Operations that act on nothing in particular in AWS's reference: what they name only narrows the answer.
fn only_shows(operation: &str) -> bool {
    operation.starts_with("Describe")
        && !matches!(operation, "DescribeCluster" | "DescribeAccessEntry")
        && !matches!(operation, "DescribeVpcAttribute" | "DescribeAddressesAttribute" | "DescribeRepositories")
}

fn services() -> Vec<&'static Service> {
    vec![
        &eksile_ec2::SERVICE,
        &eksile_outposts::SERVICE,
        &eksile_eks::SERVICE,
        &eksile_iam::SERVICE,
        &eksile_iam::sts::SERVICE,
        &eksile_registry::SERVICE,
    ]
}

/// Whether a member names something.
fn names(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap();
    let plural = last.strip_suffix('s').unwrap_or(last);
    let token = matches!(last, "ClientToken" | "clientRequestToken" | "ExternalId" | "DeviceName");
    let ends = ["Id", "Arn", "ARN", "arn", "Name", "name"].iter().any(|end| plural.ends_with(end));
    !token && (ends || matches!(last, "SecurityGroup"))
}

/// A value that nothing else has.
fn marker(path: &str) -> &'static str {
    let last = path.rsplit('.').next().unwrap();
    let last = last.strip_suffix('s').unwrap_or(last);
    if last.to_ascii_lowercase().ends_with("arn") {
        "arn:aws:iam::111122223333:role/zz/marker"
    } else if last.ends_with("Id") || last.ends_with("ID") {
        "vpc-0aaaaaaaaaaaaaaaa"
    } else {
        "zz-marker"
    }
}

#[tokio::test]
async fn whatever_a_call_names_is_asked_about() {
    let store = Store::in_memory();
    let view = store.view();
    let (caller, vantage, mint) = (Caller::root(ACCOUNT), Vantage::host(), CountedMint::default());
    let mut wrong = BTreeSet::new();
    let mut exempt: BTreeMap<&str, &str> = EXEMPT.iter().copied().collect();
    let mut asked = 0;
    for service in services() {
        let call = Call {
            caller: &caller,
            scope: Scope::new(ACCOUNT, if service.global { "global" } else { REGION }),
            region: REGION,
            now: Timestamp::UNIX_EPOCH,
            wall: Timestamp::UNIX_EPOCH,
            vantage: &vantage,
            host: "",
            mint: &mint,
            context: Arc::default(),
        };
        let case = service.protocol.input_case();
        for operation in service.operations.iter().filter(|operation| !only_shows(operation.name())) {
            let members = service.members(operation.name());
            for path in
                members.into_iter().filter(|path| names(path) && !is_peer(path) && !is_question(operation.name(), path))
            {
                let key = format!("{} {path}", operation.name());
                match is_asked(operation, path, case, &call, Reads::of(&view)) {
                    None => {}
                    Some(true) => asked += 1,
                    Some(false) if exempt.remove(&*key).is_some() => {}
                    Some(false) => drop(wrong.insert(key)),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "named, and neither asked about nor exempt: {wrong:#?}");
    assert!(exempt.is_empty(), "exempt, and not there or asked about: {exempt:#?}");
    assert!(asked > 100, "{asked} members");
}

/// `None` of a member that the operation does not read: the door refuses it.
fn is_asked(operation: &Operation, path: &str, case: Case, call: &Call<'_>, state: Reads<'_>) -> Option<bool> {
    let segments: Vec<&str> = path.split('.').collect();
    let noticed = [&segments[..segments.len() - 1], &["NobodyKnows"]].concat().join(".");
    // Which of the structures on the way are items of a list is not known: each way is tried.
    for lists in 0..1_u32 << (segments.len() - 1) {
        let mut way = Vec::new();
        for (at, segment) in segments.iter().enumerate() {
            way.push((*segment).to_owned());
            if at + 1 < segments.len() && lists >> at & 1 == 1 {
                way.push("1".to_owned());
            }
        }
        let mut tree = Tree::Form(BTreeMap::new());
        put(&mut tree, &way, marker(path));
        // A member that nobody knows, beside it: where it is not noticed, this is not the way.
        let beside = [&way[..way.len() - 1], &["NobodyKnows".to_owned()]].concat();
        put(&mut tree, &beside, "x");
        let whole = way.join(".");
        let is_on =
            |unread: &String| [path, &*whole].iter().any(|way| format!("{way}.").starts_with(&format!("{unread}.")));
        if let Some((asks, unread)) = filled(operation, tree, &way, case, call, state)
            && unread.contains(&noticed)
            && !unread.iter().any(is_on)
        {
            let holds = |text: &str| text.contains(marker(path));
            // What the door tells of a call must be a key that policies may name.
            let unknown: Vec<&str> =
                asks.iter().flat_map(|ask| ask.keys().keys()).filter(|key| !is_built(key)).collect();
            assert!(unknown.is_empty(), "{}: {unknown:?}", operation.name());
            let found = asks.iter().any(|ask| {
                let keys = ask.keys();
                holds(ask.arn()) || keys.keys().any(|key| keys.get(key).unwrap().iter().any(|value| holds(value)))
            });
            return Some(found);
        }
    }
    None
}

/// With every member that the operation cannot do without.
fn filled(
    operation: &Operation,
    mut tree: Tree,
    way: &[String],
    case: Case,
    call: &Call<'_>,
    state: Reads<'_>,
) -> Option<(Vec<eksile_aws::Ask>, Vec<String>)> {
    let mut tries: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for _ in 0..40 {
        let error = match operation.rehearse(&tree, case, call, state) {
            Ok(rehearsal) => return Some((rehearsal.asks.unwrap(), rehearsal.unread)),
            Err(error) => error,
        };
        // What the member itself cannot be tells that the way is wrong.
        if error.path == way || (error.problem != Problem::Missing && !tries.contains_key(&error.path)) {
            return None;
        }
        let next = tries.entry(error.path.clone()).or_default();
        match ["filler", "1", "true", "Active"].get(*next) {
            Some(value) => put(&mut tree, &error.path, value),
            None if *next == 4 => put(&mut tree, &[&*error.path, &["Filler".to_owned()]].concat(), ""),
            None => return None,
        }
        *next += 1;
    }
    None
}

fn put(tree: &mut Tree, way: &[String], value: &str) {
    let Some((first, rest)) = way.split_first() else {
        *tree = Tree::Raw(value.to_owned());
        return;
    };
    if !matches!(tree, Tree::Form(_)) {
        *tree = Tree::Form(BTreeMap::new());
    }
    let Tree::Form(members) = tree else { return };
    put(members.entry(first.clone()).or_default(), rest, value);
}

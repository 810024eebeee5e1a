//! Faults in each protocol's own words.

use eksile_aws::{BODY_LIMIT, Vantage};

use crate::world::{World, element};

#[tokio::test]
async fn ec2_faults() {
    let world = World::new();
    for (parameters, status, code) in [
        ("Action=RunInstances", 400, "MissingParameter"),
        ("Action=RunInstances&MinCount=x", 400, "InvalidParameterValue"),
        ("Action=RunInstances&MinCount=1&InstanceType=z9.huge", 400, "InvalidParameterValue"),
        ("Action=RunInstances&MinCount=1&MinCount=1", 400, "InvalidParameterCombination"),
        ("Action=DescribeVpcs&Filter.1.Name=nonsense", 400, "InvalidParameterValue"),
        ("Action=Nonsense", 400, "InvalidAction"),
        ("Nothing=1", 400, "InvalidAction"),
        ("Action=DescribeNetworkAcls", 501, "NotImplemented"),
    ] {
        let (actual, body) = world.ec2(parameters).await;
        assert_eq!((actual, element(&body, "Code").unwrap_or_default()), (status, code), "{parameters}: {body}");
    }
    let (_, body) = world.ec2("Action=RunInstances&MinCount=0").await;
    assert_eq!(
        body,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>InvalidParameterValue</Code>\
         <Message>Value (&lt;0&gt;) for MinCount &amp; more</Message></Error></Errors>\
         <RequestID>00000000-0000-4000-8000-000000000009</RequestID></Response>"
    );
    let deep = format!("Action=DescribeVpcs&{}=1", vec!["a"; 40].join("."));
    assert_eq!(world.ec2(&deep).await.0, 400);
}

#[tokio::test]
async fn rest_json_faults() {
    let world = World::new();
    let (status, kind, body) = world.eks("/clusters/dev").await;
    assert_eq!((status, &*kind, &*body), (200, "", r#"{"createdAt":1767323045,"name":"dev"}"#));
    let (status, kind, body) = world.eks("/clusters/missing").await;
    assert_eq!((status, &*kind), (404, "ResourceNotFoundException"));
    assert_eq!(body, r#"{"clusterName":"missing","message":"No cluster found for name: missing."}"#);
    let (status, kind, body) = world.eks("/clusters/dev/node-groups").await;
    assert_eq!((status, &*kind), (501, "NotImplemented"));
    assert!(body.contains("eks:ListNodegroups"), "{body}");
    assert_eq!(world.eks("/nowhere").await.0, 404);
}

#[tokio::test]
async fn json_faults() {
    let world = World::new();
    assert_eq!(
        world.ecr("DescribeRepositories", r#"{"repositoryNames":["a"],"x":null}"#).await,
        (200, r#"{"repositories":["a"]}"#.into())
    );
    assert_eq!(world.ecr("DescribeRepositories", "").await, (200, r#"{"repositories":[]}"#.into()));
    for (operation, body, status, code) in [
        ("DescribeRepositories", "{", 400, "SerializationException"),
        ("DescribeRepositories", "[]", 400, "SerializationException"),
        ("DescribeRepositories", r#"{"repositoryNames":"a"}"#, 400, "SerializationException"),
        ("DescribeRepositories", r#"{"repositoryNames":[1]}"#, 400, "SerializationException"),
        ("DescribeRepositories", r#"{"maxResults":0}"#, 400, "InvalidParameterException"),
        ("Nonsense", "{}", 400, "UnknownOperationException"),
        ("PutImage", "{}", 501, "NotImplemented"),
    ] {
        let (actual, answer) = world.ecr(operation, body).await;
        let json: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((actual, json["__type"].as_str().unwrap()), (status, code), "{operation} {body}: {answer}");
    }
}

#[tokio::test]
async fn a_body_too_large() {
    let world = World::new();
    let request = world.ec2_request(&format!("Action=DescribeVpcs&A={}", "x".repeat(BODY_LIMIT)));
    let response = world.door.handle(request, Vantage::host()).await;
    assert_eq!(response.status(), 413);
}

/// What an operation cannot tell the policies is a fault of the call, told to who is allowed all the rest.
#[tokio::test]
async fn attack_a_key_that_cannot_be_told_is_passed_over() {
    let world = World::new();
    let launch = "Action=RunInstances&MinCount=1&IamInstanceProfile.Name=unreadable";
    let (status, body) = world.ec2(launch).await;
    assert_eq!((status, element(&body, "Code")), (500, Some("InternalFailure")), "{body}");
    world.allow(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam:*:*:*"}}"#,
    );
    let (status, body) = world.ec2(launch).await;
    assert_eq!((status, element(&body, "Code")), (403, Some("UnauthorizedOperation")), "{body}");
}

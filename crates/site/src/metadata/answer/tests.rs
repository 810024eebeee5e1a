use std::pin::Pin;
use std::sync::Arc;

use eksile_ec2::records::{InstanceProfileRef, InstanceRole, MetadataOptions, Tags, WantedInstanceState};
use http_body_util::BodyExt as _;
use serde_json::json;

use super::super::Credentials;
use super::*;

struct Fixed;

impl Credentials for Fixed {
    fn of<'a>(
        &'a self,
        instance: &'a str,
        delivery: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Value, String>> + Send + 'a>> {
        Box::pin(async move { Ok(json!({"RoleName": "node", "AccessKeyId": format!("{instance}/{delivery}")})) })
    }
}

fn instance(id: &str, options: MetadataOptions) -> Instance {
    Instance {
        instance_id: id.into(),
        reservation_id: "r-1".into(),
        image_id: "ami-1".into(),
        instance_type: "m5.large".into(),
        site: "op-1".into(),
        subnet_id: "subnet-1".into(),
        vpc_id: "vpc-1".into(),
        private_ip: "10.0.0.5".into(),
        private_dns_name: "ip-10-0-0-5.us-west-2.compute.internal".into(),
        network_interface_ids: vec![],
        key_name: None,
        instance_profile: Some(InstanceProfileRef {
            arn: "arn:aws:iam::1:instance-profile/node".into(),
            id: "A".into(),
        }),
        user_data: Some(b"#!/bin/sh\n".to_vec()),
        role: InstanceRole::Worker,
        wanted: WantedInstanceState::Running,
        launch_time: 0,
        ami_launch_index: 0,
        metadata_options: options,
        client_token: None,
        tags: Tags::from([("Name".to_owned(), "n1".to_owned()), ("a/b".to_owned(), "no".to_owned())]),
    }
}

struct Service {
    answers: Answers,
    instance: Instance,
}

impl Service {
    fn new(options: MetadataOptions) -> Self {
        let answers = Answers::new(Store::in_memory(), Given::new(Arc::new(Fixed)));
        Self { answers, instance: instance("i-1", options) }
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String, Option<HopLimit>) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let scope = Scope::new("111122223333", "us-west-2");
        let response = self.answers.answer(&request.body(()).unwrap(), &scope, &self.instance).await;
        let (status, limit) = (response.status().as_u16(), response.extensions().get::<HopLimit>().copied());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap(), limit)
    }

    async fn status(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        self.ask(method, path, headers).await.0
    }

    async fn token(&self) -> String {
        let (status, token, limit) =
            self.ask("PUT", "/latest/api/token", &[("x-aws-ec2-metadata-token-ttl-seconds", "60")]).await;
        assert_eq!((status, limit), (200, Some(HopLimit(self.instance.metadata_options.hop_limit))));
        token
    }
}

fn required() -> MetadataOptions {
    MetadataOptions { tokens_required: true, ..MetadataOptions::default() }
}

const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const ID: &str = "/latest/meta-data/instance-id";

#[tokio::test]
async fn without_a_good_token_nothing_is_told_where_one_is_required() {
    let service = Service::new(required());
    let token = service.token().await;
    for path in [
        "/",
        "/latest/",
        ID,
        "/latest/user-data",
        "/latest/dynamic/instance-identity/document",
        "/latest/meta-data/iam/security-credentials/node",
        "/latest/eksile/clusters/",
        "/1.0/meta-data/instance-id",
    ] {
        for method in ["GET", "HEAD"] {
            assert_eq!(service.status(method, path, &[]).await, 401, "{method} {path}");
            assert_eq!(service.status(method, path, &[(TOKEN, "x")]).await, 401, "{method} {path}");
            assert_eq!(service.status(method, path, &[(TOKEN, &token), (TOKEN, &token)]).await, 401, "two tokens");
        }
    }
    assert_eq!(service.ask("GET", ID, &[(TOKEN, &token)]).await.1, "i-1");
    let other = Service { instance: instance("i-2", required()), ..service };
    assert_eq!(other.status("GET", ID, &[(TOKEN, &token)]).await, 401, "another instance's");
}

#[tokio::test]
async fn where_tokens_are_optional_a_wrong_one_is_still_refused() {
    let service = Service::new(MetadataOptions::default());
    assert_eq!(service.status("GET", ID, &[]).await, 200);
    assert_eq!(service.status("GET", ID, &[(TOKEN, "")]).await, 401);
    assert_eq!(service.status("GET", ID, &[(TOKEN, &"A".repeat(64))]).await, 401);
}

#[tokio::test]
async fn a_session_is_asked_for_in_one_way() {
    let service = Service::new(required());
    for (headers, expected) in [
        (&[][..], 400),
        (&[(TTL, "0")], 400),
        (&[(TTL, "21601")], 400),
        (&[(TTL, "-1")], 400),
        (&[(TTL, "+60")], 400),
        (&[(TTL, "60s")], 400),
        (&[(TTL, "")], 400),
        (&[(TTL, "60"), (TTL, "60")], 400),
        (&[(TTL, "60"), ("x-forwarded-for", "10.0.0.1")], 403),
        (&[(TTL, "1")], 200),
        (&[(TTL, "21600")], 200),
    ] {
        assert_eq!(service.status("PUT", "/latest/api/token", headers).await, expected, "{headers:?}");
    }
    let good = [(TTL, "60")];
    for method in ["POST", "DELETE", "PATCH", "OPTIONS", "GET", "BREW"] {
        assert_eq!(service.status(method, "/latest/api/token", &good).await, 405, "{method}");
    }
    for path in ["/latest/api", "/latest/api/token/x", ID, "/"] {
        assert_eq!(service.status("PUT", path, &good).await, 405, "{path}");
    }
}

#[tokio::test]
async fn a_disabled_service_says_nothing() {
    let service = Service::new(MetadataOptions { enabled: false, ..MetadataOptions::default() });
    assert_eq!(service.status("PUT", "/latest/api/token", &[(TTL, "60")]).await, 403);
    assert_eq!(service.status("GET", ID, &[]).await, 403);
    assert_eq!(service.status("GET", "/none", &[]).await, 403);
}

#[tokio::test]
async fn credentials_say_how_they_were_asked_for() {
    let service = Service::new(MetadataOptions::default());
    let token = service.token().await;
    let folder = "/latest/meta-data/iam/security-credentials";
    for path in [folder.to_owned(), format!("{folder}/")] {
        assert_eq!(service.ask("GET", &path, &[]).await.1, "node", "{path}");
    }
    let one = format!("{folder}/node");
    assert!(service.ask("GET", &one, &[]).await.1.contains("i-1/1.0"));
    let body = service.ask("GET", &one, &[(TOKEN, &token)]).await.1;
    assert!(body.contains("i-1/2.0") && !body.contains("RoleName"), "{body}");
    for path in [format!("{folder}/other"), format!("{folder}X"), format!("{folder}/node/x")] {
        assert_eq!(service.status("GET", &path, &[]).await, 404, "{path}");
    }
    let bare = Service { instance: Instance { instance_profile: None, ..service.instance.clone() }, ..service };
    assert_eq!(bare.status("GET", &one, &[]).await, 404);
}

#[tokio::test]
async fn the_tree_has_versions_folders_and_tags_where_they_are_told() {
    let mut service = Service::new(MetadataOptions::default());
    assert!(service.ask("GET", "/", &[]).await.1.lines().any(|version| version == "latest"));
    assert_eq!(service.ask("GET", "/2018-09-24/meta-data/instance-id", &[]).await.1, "i-1");
    assert_eq!(service.status("GET", "/2018-09-25/meta-data/instance-id", &[]).await, 404);
    assert_eq!(service.status("GET", "/latest/meta-data/none", &[]).await, 404);
    let iam = service.ask("GET", "/latest/meta-data/iam/", &[]).await.1;
    assert_eq!(iam.lines().collect::<Vec<_>>(), ["info", "security-credentials/"]);
    assert_eq!(service.status("GET", "/latest/meta-data/tags/instance/Name", &[]).await, 404);
    service.instance.metadata_options.tags = true;
    assert_eq!(service.ask("GET", "/latest/meta-data/tags/instance/", &[]).await.1, "Name");
    assert_eq!(service.ask("GET", "/latest/meta-data/tags/instance/Name", &[]).await.1, "n1");
}

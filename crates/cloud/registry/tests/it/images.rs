//! Images pushed and pulled over the distribution API.

use std::os::unix::fs::PermissionsExt as _;

use aws_lc_rs::digest::{SHA256, digest};

use crate::world::{ACCOUNT, OTHER, World, send};

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest(&SHA256, bytes)))
}

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";

fn manifest(config: &[u8], layer: &[u8]) -> String {
    let descriptor = |kind: &str, bytes: &[u8]| serde_json::json!({ "mediaType": kind, "digest": digest_of(bytes), "size": bytes.len() });
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": OCI,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    })
    .to_string()
}

/// Pushes as most clients do: one POST, one PATCH, one PUT.
async fn push_blob(world: &World, login: &str, repository: &str, bytes: &[u8]) {
    let begun = world.send(login, "POST", &format!("/v2/{repository}/blobs/uploads/"), b"").await;
    assert_eq!(begun.status, 202, "{begun:?}");
    let location = begun.header("location").to_owned();
    let chunk = world.send(login, "PATCH", &location, bytes).await;
    assert_eq!((chunk.status, chunk.header("range")), (202, &*format!("0-{}", bytes.len() - 1)));
    let put = world.send(login, "PUT", &format!("{location}?digest={}", digest_of(bytes)), b"").await;
    assert_eq!(put.status, 201, "{put:?}");
}

async fn push_image(world: &World, login: &str, repository: &str, tag: &str) -> String {
    let (config, layer) = (b"{}".to_vec(), vec![7; 100_000]);
    push_blob(world, login, repository, &config).await;
    push_blob(world, login, repository, &layer).await;
    let manifest = manifest(&config, &layer);
    let path = format!("/v2/{repository}/manifests/{tag}");
    let put = send(&world.registry, login, "PUT", &path, &[("content-type", OCI)], manifest.as_bytes()).await;
    assert_eq!(put.status, 201, "{put:?}");
    put.header("docker-content-digest").to_owned()
}

#[tokio::test]
async fn an_image_goes_in_and_comes_out_and_survives_a_restart() {
    let world = World::start().await;
    let login = world.repository(ACCOUNT, "team/app").await;
    let pushed = push_image(&world, &login, "team/app", "v1").await;
    for registry in [&world.registry, &world.reopened()] {
        let got = send(registry, &login, "GET", "/v2/team/app/manifests/v1", &[], b"").await;
        assert_eq!((got.status, got.header("content-type")), (200, OCI));
        assert_eq!(digest_of(&got.body), pushed);
        let by_digest = send(registry, &login, "HEAD", &format!("/v2/team/app/manifests/{pushed}"), &[], b"").await;
        assert_eq!((by_digest.status, by_digest.body.len()), (200, 0));
        assert_eq!(by_digest.header("content-length"), got.body.len().to_string());
        let layer = vec![7; 100_000];
        let path = format!("/v2/team/app/blobs/{}", digest_of(&layer));
        assert_eq!(send(registry, &login, "GET", &path, &[], b"").await.body, layer);
        assert_eq!(send(registry, &login, "HEAD", &path, &[], b"").await.header("content-length"), "100000");
        let part = send(registry, &login, "GET", &path, &[("range", "bytes=99990-")], b"").await;
        assert_eq!((part.status, part.body.len(), part.header("content-range")), (206, 10, "bytes 99990-99999/100000"));
    }
    let tags = world.send(&login, "GET", "/v2/team/app/tags/list", b"").await;
    assert_eq!(tags.body, r#"{"name":"team/app","tags":["v1"]}"#);
    let listed = world.ecr(ACCOUNT, "ListImages", r#"{"repositoryName":"team/app"}"#).await;
    assert_eq!(listed["imageIds"][0]["imageDigest"], pushed);
    let file = world.dir.path().join("blobs/sha256").join(pushed.strip_prefix("sha256:").unwrap());
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn nobody_gets_in_without_a_login() {
    let world = World::start().await;
    let login = world.repository(ACCOUNT, "app").await;
    assert_eq!(world.send(&login, "GET", "/v2/", b"").await.status, 200);
    for bad in ["", "Basic QVdTOng=", "Bearer x", "Basic ???", "Basic"] {
        let answer = world.send(bad, "GET", "/v2/", b"").await;
        assert_eq!((answer.status, answer.code()), (401, "UNAUTHORIZED".to_owned()), "{bad}");
        assert!(answer.header("www-authenticate").starts_with("Basic "));
    }
}

#[tokio::test]
async fn another_account_sees_nothing() {
    let world = World::start().await;
    let own = world.repository(ACCOUNT, "app").await;
    let stranger = world.repository(OTHER, "theirs").await;
    push_image(&world, &own, "app", "v1").await;
    let answer = world.send(&stranger, "GET", "/v2/app/manifests/v1", b"").await;
    assert_eq!((answer.status, answer.code()), (404, "NAME_UNKNOWN".to_owned()));
    let host = [("host", "111122223333.dkr.ecr.us-west-2.amazonaws.com")];
    let request =
        http::Request::get("/v2/app/manifests/v1").header(host[0].0, host[0].1).header("authorization", &stranger);
    let body = http_body_util::Empty::<bytes::Bytes>::new();
    let answer = world.registry.handle(request.body(body).unwrap(), &eksile_aws::Vantage::host()).await;
    assert_eq!(answer.status(), 403);
    // A blob that another repository holds is not there for this one, although the file is.
    let layer = digest_of(&vec![7; 100_000]);
    let answer = world.send(&stranger, "HEAD", &format!("/v2/theirs/blobs/{layer}"), b"").await;
    assert_eq!(answer.status, 404);
    let mount = world.send(&stranger, "POST", &format!("/v2/theirs/blobs/uploads/?mount={layer}&from=app"), b"").await;
    assert_eq!(mount.status, 202);
    assert_eq!(world.send(&own, "GET", mount.header("location"), b"").await.status, 404);
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let world = World::start().await;
    let login = world.repository(ACCOUNT, "app").await;
    let wrong = digest_of(b"other");
    let answer = world.send(&login, "POST", &format!("/v2/app/blobs/uploads/?digest={wrong}"), b"bytes").await;
    assert_eq!((answer.status, answer.code()), (400, "DIGEST_INVALID".to_owned()));
    assert_eq!(world.send(&login, "HEAD", &format!("/v2/app/blobs/{wrong}"), b"").await.status, 404);
    let whole =
        world.send(&login, "POST", &format!("/v2/app/blobs/uploads/?digest={}", digest_of(b"bytes")), b"bytes").await;
    assert_eq!(whole.status, 201);
    let text = manifest(b"nowhere", b"bytes");
    let put = |reference: &'static str, text: String| {
        let (world, login) = (&world, &login);
        async move {
            let path = format!("/v2/app/manifests/{reference}");
            send(&world.registry, login, "PUT", &path, &[("content-type", OCI)], text.as_bytes()).await
        }
    };
    assert_eq!(put("v1", text.clone()).await.code(), "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(put("-bad", text.clone()).await.code(), "TAG_INVALID");
    assert_eq!(put("v1", "not json".to_owned()).await.code(), "MANIFEST_INVALID");
    assert_eq!(
        put("sha256:0000000000000000000000000000000000000000000000000000000000000000", text).await.code(),
        "DIGEST_INVALID"
    );
    let big = vec![b' '; (4 << 20) + 1];
    let answer = send(&world.registry, &login, "PUT", "/v2/app/manifests/v1", &[], &big).await;
    assert_eq!((answer.status, answer.code()), (413, "SIZE_INVALID".to_owned()));
    for (method, path, status) in [
        ("GET", "/v2/none/tags/list", 404),
        ("GET", "/v2/UPPER/tags/list", 400),
        ("GET", "/v2/app/blobs/sha256:..%2f..%2fetc", 400),
        ("GET", "/v2/app/manifests/none", 404),
        ("PATCH", "/v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000", 404),
        ("PATCH", "/v2/app/blobs/uploads/..", 404),
        ("DELETE", "/v2/app/tags/list", 405),
        ("GET", "/v2/_catalog", 404),
    ] {
        assert_eq!(world.send(&login, method, path, b"").await.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn chunks_come_in_order_and_policies_hold() {
    let world = World::start().await;
    let login = world.repository(ACCOUNT, "app").await;
    let begun = world.send(&login, "POST", "/v2/app/blobs/uploads/", b"").await;
    let location = begun.header("location").to_owned();
    let chunk = |range: &'static str, bytes: &'static [u8]| {
        let (world, login, location) = (&world, &login, &location);
        async move { send(&world.registry, login, "PATCH", location, &[("content-range", range)], bytes).await.status }
    };
    assert_eq!(chunk("0-4", b"hello").await, 202);
    assert_eq!(chunk("0-4", b"again").await, 416);
    assert_eq!(chunk("5-5", b"!").await, 202);
    let put = world.send(&login, "PUT", &format!("{location}?digest={}", digest_of(b"hello!?")), b"?").await;
    assert_eq!(put.status, 201);
    assert_eq!(world.send(&login, "PUT", &location, b"").await.status, 400);
    assert_eq!(world.send(&login, "PUT", &format!("{location}?digest={}", digest_of(b"")), b"").await.status, 404);

    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:InitiateLayerUpload","Resource":"arn:aws:ecr:us-west-2:*:repository/app"}}"#;
    world.iam(ACCOUNT, &format!("Action=PutUserPolicy&UserName=admin&PolicyName=p&PolicyDocument={document}")).await;
    let denied = world.send(&login, "POST", "/v2/app/blobs/uploads/", b"").await;
    assert_eq!((denied.status, denied.code()), (403, "DENIED".to_owned()));
}

#[tokio::test]
async fn tags_of_an_immutable_repository_stay() {
    let world = World::start().await;
    let login = world.repository(ACCOUNT, "any").await;
    world.ecr(ACCOUNT, "CreateRepository", r#"{"repositoryName":"fixed","imageTagMutability":"IMMUTABLE"}"#).await;
    let digest = push_image(&world, &login, "fixed", "v1").await;
    assert_eq!(push_image(&world, &login, "fixed", "v1").await, digest);
    push_blob(&world, &login, "fixed", b"other").await;
    let other = manifest(b"{}", b"other");
    let put =
        send(&world.registry, &login, "PUT", "/v2/fixed/manifests/v1", &[("content-type", OCI)], other.as_bytes())
            .await;
    assert_eq!((put.status, put.code()), (400, "TAG_INVALID".to_owned()));
    assert_eq!(world.send(&login, "DELETE", &format!("/v2/fixed/manifests/{digest}"), b"").await.status, 202);
    assert_eq!(world.send(&login, "GET", "/v2/fixed/manifests/v1", b"").await.status, 404);
}

#[tokio::test]
async fn a_login_ends_after_twelve_hours() {
    let world = World::start().await;
    let login = world.repository(ACCOUNT, "app").await;
    world.clock.pass(jiff::SignedDuration::from_hours(13));
    assert_eq!(world.send(&login, "GET", "/v2/", b"").await.status, 401);
}

/// Who may see that a layer is there, and not pull it, does not get it by mounting it into a repository of their own.
#[tokio::test]
async fn attack_a_layer_is_mounted_by_who_may_not_pull_it() {
    let world = World::start().await;
    let own = world.repository(ACCOUNT, "secret").await;
    world.repository(ACCOUNT, "mine").await;
    push_image(&world, &own, "secret", "v1").await;
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ecr:GetDownloadUrlForLayer","Resource":"arn:aws:ecr:*:*:repository/secret"}]}"#;
    let form: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("Action", "PutUserPolicy"),
            ("Version", "2010-05-08"),
            ("UserName", "admin"),
            ("PolicyName", "no-pull"),
            ("PolicyDocument", deny),
        ])
        .finish();
    world.iam(ACCOUNT, &form).await;
    let layer = digest_of(&vec![7; 100_000]);
    assert_eq!(world.send(&own, "GET", &format!("/v2/secret/blobs/{layer}"), b"").await.status, 403);
    let path = format!("/v2/mine/blobs/uploads/?mount={layer}&from=secret");
    assert_eq!(world.send(&own, "POST", &path, b"").await.status, 202, "an upload begins instead");
    assert_eq!(world.send(&own, "HEAD", &format!("/v2/mine/blobs/{layer}"), b"").await.status, 404);
}

/// One account's uploads leave room for another's, and leave nothing on the disk once they are given up.
#[tokio::test]
async fn attack_uploads_without_end() {
    let world = World::start().await;
    let flood = world.repository(ACCOUNT, "app").await;
    let other = world.repository(OTHER, "theirs").await;
    let uploads = world.dir.path().join("blobs/uploads");
    let files = || std::fs::read_dir(&uploads).unwrap().count();
    let begin = || world.send(&flood, "POST", "/v2/app/blobs/uploads/", b"");
    let first = begin().await.header("location").to_owned();
    let mut begun = 1;
    while begun < 2000 && begin().await.status == 202 {
        begun += 1;
    }
    assert_eq!((begun, files()), (256, 256));
    let theirs = world.send(&other, "POST", "/v2/theirs/blobs/uploads/", b"").await;
    assert_eq!(theirs.status, 202);
    world.clock.pass(jiff::SignedDuration::from_mins(59));
    assert_eq!(world.send(&flood, "PATCH", &first, b"x").await.status, 202);
    world.clock.pass(jiff::SignedDuration::from_mins(2));
    assert_eq!(begin().await.status, 202);
    assert_eq!(world.send(&flood, "GET", &first, b"").await.status, 204, "it goes on");
    assert_eq!(files(), 2, "those that were given up are gone");
    let wrong = format!("/v2/app/blobs/uploads/?digest={}", digest_of(b"other"));
    assert_eq!(world.send(&flood, "POST", &wrong, b"bytes").await.status, 400);
    assert_eq!(files(), 2);
}

/// The registry's own protocol is asked about as ECR's operations are: by tags, by address, by the registry's Region.
#[tokio::test]
async fn attack_a_denial_by_condition_is_passed_by_at_the_registry() {
    let world = World::start().await;
    let login = world.repository(ACCOUNT, "app").await;
    let arn = format!("arn:aws:ecr:us-west-2:{ACCOUNT}:repository/app");
    let tag = format!(r#"{{"resourceArn":"{arn}","tags":[{{"Key":"env","Value":"prod"}}]}}"#);
    world.ecr(ACCOUNT, "TagResource", &tag).await;
    for (condition, status) in [
        (r#"{"StringEquals":{"aws:ResourceTag/env":"test"}}"#, 200),
        (r#"{"StringEquals":{"aws:ResourceTag/env":"prod"}}"#, 403),
        (r#"{"StringEquals":{"ecr:ResourceTag/env":"prod"}}"#, 403),
        (r#"{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}"#, 403),
        (r#"{"Bool":{"aws:SecureTransport":"false"}}"#, 403),
        (r#"{"StringEquals":{"aws:RequestedRegion":"us-west-2"}}"#, 403),
        (r#"{"StringEquals":{"aws:username":"admin"}}"#, 403),
        (r#"{"StringEquals":{"aws:ResourceAccount":"111122223333"}}"#, 403),
        (r#"{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01"}}"#, 403),
        (r#"{"StringEquals":{"aws:UserAgent":"agent"}}"#, 403),
        (r#"{"StringEquals":{"aws:referer":"from-there"}}"#, 403),
        (r#"{"StringEquals":{"aws:referer":"from-elsewhere"}}"#, 200),
    ] {
        let statement =
            format!(r#"{{"Effect":"Deny","Action":"ecr:ListImages","Resource":"*","Condition":{condition}}}"#);
        let document = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
        world
            .iam(ACCOUNT, &format!("Action=PutUserPolicy&UserName=admin&PolicyName=p&PolicyDocument={document}"))
            .await;
        let told = [("user-agent", "agent"), ("referer", "from-there")];
        let answer = send(&world.registry, &login, "GET", "/v2/app/tags/list", &told, b"").await;
        assert_eq!(answer.status, status, "{condition}: {answer:?}");
    }
}

//! What a signature claims besides its signer is no fact: the Region must be the door's, and what was signed is what is run.

use bytes::Bytes;
use eksile_aws::Vantage;
use eksile_kit::Signer;
use http::{Request, Uri};

use crate::world::{KEY, World};

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

async fn sent(world: &World, request: Request<Bytes>) -> (u16, String) {
    let response = world.door.handle(request, Vantage::host()).await;
    let code = response.headers().get("x-amzn-errortype").map(|code| code.to_str().unwrap().to_owned());
    let body = String::from_utf8(response.body().to_vec()).unwrap();
    (response.status().as_u16(), code.unwrap_or_default() + &body)
}

fn signer<'a>(service: &'a str, region: &'a str) -> Signer<'a> {
    Signer { access_key_id: KEY, secret: "secret", service, region }
}

#[tokio::test]
async fn attack_a_region_that_is_not_here_is_not_served() {
    let world = World::new();
    let describe = |region| {
        let signer = signer("ec2", region);
        signer.post_at(world.clock.now_wall(), &FORM, "Action=DescribeVpcs&Version=2016-11-15")
    };
    assert_eq!(sent(&world, describe("us-west-2")).await.0, 200);
    for region in ["eu-west-1", "us-east-1", "mars", "global"] {
        let (status, body) = sent(&world, describe(region)).await;
        assert_eq!(status, 401, "{region}: {body}");
        assert!(body.contains("AuthFailure"), "{region}: {body}");
        let (status, body) = sent(&world, signer("eks", region).get_at(world.clock.now_wall(), "/clusters/dev")).await;
        assert_eq!(status, 403, "{region}: {body}");
        assert!(body.contains("InvalidSignatureException"), "{region}: {body}");
        assert!(body.contains("Credential should be scoped to a valid region."), "{region}: {body}");
    }
}

/// A signature is made over the path in its normal form: so is the operation found.
#[tokio::test]
async fn attack_one_signature_is_one_operation() {
    let world = World::new();
    let mut known = Vec::new();
    for path in [
        "/clusters/dev",
        "//clusters/dev",
        "/clusters//dev",
        "/clusters/./dev",
        "/clusters/dev/.",
        "/x/../clusters/dev",
        "/clusters/dev/access-entries/..",
        "/clusters/dev/node-groups/x/../..",
    ] {
        let mut request = signer("eks", "us-west-2").get_at(world.clock.now_wall(), "/clusters/dev");
        *request.uri_mut() = Uri::try_from(path).unwrap();
        let (status, body) = sent(&world, request).await;
        assert_eq!(status, 200, "{path}: {body}");
        known.push(body);
    }
    assert!(known.windows(2).all(|pair| pair[0] == pair[1]), "{known:?}");
    let mut request = signer("eks", "us-west-2").get_at(world.clock.now_wall(), "/clusters/dev");
    *request.uri_mut() = Uri::from_static("/clusters/dev/%2E%2E/dev");
    assert_eq!(sent(&world, request).await.0, 403, "what is encoded is a name");
}

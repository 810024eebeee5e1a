//! Every operation with the `aws` command line.

use eksile_kit::{AwsCli, skip};

use crate::world::{ACCOUNT, OTHER, World};

#[tokio::test(flavor = "multi_thread")]
async fn repositories() {
    if !AwsCli::is_there() {
        return skip("repositories", "no aws command line on the path");
    }
    let world = World::start().await;
    let (own, stranger) = (world.caller(ACCOUNT), world.caller(OTHER));
    let made = own.done("ecr create-repository --repository-name team/app --tags Key=a,Value=1");
    let uri = format!("{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/team/app");
    assert_eq!(made["repository"]["repositoryUri"], uri);
    assert_eq!(own.done("ecr describe-repositories")["repositories"][0], made["repository"]);
    own.refused("RepositoryAlreadyExistsException", "ecr create-repository --repository-name team/app");
    own.refused("InvalidParameterException", "ecr create-repository --repository-name Team");
    stranger.refused("RepositoryNotFoundException", "ecr describe-repositories --repository-names team/app");
    stranger.refused("RepositoryNotFoundException", "ecr delete-repository --repository-name team/app");
    own.refused(
        "NotImplemented",
        "ecr create-repository --repository-name sealed --encryption-configuration encryptionType=KMS",
    );
    own.refused("NotImplemented", &format!("ecr get-authorization-token --registry-ids {OTHER}"));
    own.done("ecr create-repository --repository-name plain --encryption-configuration encryptionType=AES256");
    own.done("ecr delete-repository --repository-name plain");
    own.done(&format!("ecr get-authorization-token --registry-ids {ACCOUNT}"));
    let arn = format!("--resource-arn arn:aws:ecr:us-west-2:{ACCOUNT}:repository/team/app");
    own.done(&format!("ecr tag-resource {arn} --tags Key=b,Value=2"));
    own.done(&format!("ecr untag-resource {arn} --tag-keys a nothing"));
    let tags = own.done(&format!("ecr list-tags-for-resource {arn}"));
    assert_eq!(tags["tags"], serde_json::json!([{"Key": "b", "Value": "2"}]));
    own.refused("InvalidTagParameterException", &format!("ecr tag-resource {arn} --tags Key=aws:x,Value=2"));
    own.refused("RepositoryNotFoundException", &format!("ecr list-tags-for-resource {arn}s"));
    own.refused("InvalidParameterException", "ecr list-tags-for-resource --resource-arn arn:aws:ecr:us-west-2::team");
    stranger.refused("NotImplemented", &format!("ecr untag-resource {arn} --tag-keys b"));
    let elsewhere = own.clone().in_region("eu-west-1");
    elsewhere.refused("InvalidSignatureException", "ecr describe-repositories --repository-names team/app");
    let told = own.done("ecr get-authorization-token");
    assert_eq!(told["authorizationData"][0]["proxyEndpoint"], world.url());
    assert_eq!(own.done("ecr list-images --repository-name team/app")["imageIds"].as_array().unwrap().len(), 0);
    own.refused("NotImplemented", "ecr describe-registry");
    own.done("ecr delete-repository --repository-name team/app");
    own.refused("RepositoryNotFoundException", "ecr delete-repository --repository-name team/app");
}

"""CreateCluster: what is taken and what is refused, before anything runs."""

from door import ACCOUNT, OUTPOST, eks, iam, outpost_vpc, raw, refused, role, stranger

net = outpost_vpc()
able = role("cluster", "ec2.amazonaws.com", "AmazonEKSLocalOutpostClusterPolicy")
regional = role("regional", "eks.amazonaws.com", "AmazonEKSClusterPolicy")


def request(name="one", **change):
    """A request that would be taken, but for the change: a.b=c replaces member b of a; None takes it away."""
    members = {
        "name": name,
        "roleArn": able,
        "resourcesVpcConfig": {
            "subnetIds": [net["private"]], "endpointPrivateAccess": True, "endpointPublicAccess": False,
        },
        "outpostConfig": {"outpostArns": [OUTPOST], "controlPlaneInstanceType": "m5.large"},
    }
    for path, value in change.items():
        *way, last = path.split("__")
        place = members
        for step in way:
            place = place.setdefault(step, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    return members


PARAMETER = "InvalidParameterException"
BAD = [
    (PARAMETER, request(name="")),
    (PARAMETER, request(name="1one")),
    (PARAMETER, request(name="one_two")),
    (PARAMETER, request(name="-one")),
    (PARAMETER, request(name="x" * 101)),
    (PARAMETER, request(version="1.18")),
    (PARAMETER, request(version="1.33.0")),
    (PARAMETER, request(version="latest")),
    (PARAMETER, request(roleArn="cluster")),
    (PARAMETER, request(roleArn=f"arn:aws:iam::{ACCOUNT}:user/admin")),
    (PARAMETER, request(roleArn=f"arn:aws:iam::{ACCOUNT}:role/none")),
    ("AccessDeniedException", request(roleArn="arn:aws:iam::444455556666:role/cluster")),
    (PARAMETER, request(roleArn=regional)),
    (PARAMETER, request(roleArn=None)),
    (PARAMETER, request(resourcesVpcConfig=None)),
    (PARAMETER, request(resourcesVpcConfig__subnetIds=[])),
    (PARAMETER, request(resourcesVpcConfig__subnetIds=["net-1"])),
    (PARAMETER, request(resourcesVpcConfig__subnetIds=[net["private"], net["private"]])),
    (PARAMETER, request(resourcesVpcConfig__securityGroupIds=["group"])),
    (PARAMETER, request(resourcesVpcConfig__securityGroupIds=[f"sg-0{n}" for n in range(5)])),
    (PARAMETER, request(resourcesVpcConfig__endpointPublicAccess=True)),
    (PARAMETER, request(resourcesVpcConfig__endpointPublicAccess=None)),
    (PARAMETER, request(resourcesVpcConfig__endpointPrivateAccess=False)),
    (PARAMETER, request(resourcesVpcConfig__endpointPrivateAccess=None)),
    (PARAMETER, request(resourcesVpcConfig__publicAccessCidrs=["0.0.0.0/0"])),
    (PARAMETER, request(outpostConfig__outpostArns=[])),
    (PARAMETER, request(outpostConfig__outpostArns=[OUTPOST, OUTPOST])),
    (PARAMETER, request(outpostConfig__outpostArns=["op-0123456789abcdef0"])),
    (PARAMETER, request(outpostConfig__outpostArns=[OUTPOST.replace("us-west-2", "us-east-1")])),
    (PARAMETER, request(outpostConfig__outpostArns=[OUTPOST.replace(ACCOUNT, "444455556666")])),
    (PARAMETER, request(outpostConfig__outpostArns=[OUTPOST[:-1] + "1"])),
    (PARAMETER, request(outpostConfig__controlPlaneInstanceType=None)),
    (PARAMETER, request(outpostConfig__controlPlaneInstanceType="large")),
    (PARAMETER, request(outpostConfig__controlPlanePlacement={"groupName": "spread"})),
    (PARAMETER, request(kubernetesNetworkConfig={"ipFamily": "ipv6"})),
    (PARAMETER, request(kubernetesNetworkConfig={"ipFamily": "ipv5"})),
    (PARAMETER, request(kubernetesNetworkConfig={"serviceIpv4Cidr": "10.0.8.0/24"})),
    (PARAMETER, request(kubernetesNetworkConfig={"serviceIpv4Cidr": "8.8.0.0/16"})),
    (PARAMETER, request(kubernetesNetworkConfig={"serviceIpv4Cidr": "10.9.0.0/28"})),
    (PARAMETER, request(kubernetesNetworkConfig={"serviceIpv4Cidr": "services"})),
    (PARAMETER, request(kubernetesNetworkConfig={"elasticLoadBalancing": {"enabled": True}})),
    (PARAMETER, request(encryptionConfig=[{"resources": ["secrets"], "provider": {"keyArn": "k"}}])),
    (PARAMETER, request(computeConfig={"enabled": True})),
    (PARAMETER, request(storageConfig={"blockStorage": {"enabled": True}})),
    (PARAMETER, request(remoteNetworkConfig={"remoteNodeNetworks": [{"cidrs": ["10.9.0.0/16"]}]})),
    (PARAMETER, request(zonalShiftConfig={"enabled": True})),
    (PARAMETER, request(logging={"clusterLogging": [{"types": ["etcd"], "enabled": True}]})),
    (PARAMETER, request(logging={"clusterLogging": [{"types": ["api"], "enabled": on} for on in (True, False)]})),
    (PARAMETER, request(accessConfig={"authenticationMode": "X509"})),
    (PARAMETER, request(upgradePolicy={"supportType": "FOREVER"})),
    (PARAMETER, request(tags={"aws:owner": "me"})),
    (PARAMETER, request(tags={str(n): "" for n in range(51)})),
    ("NotImplemented", request(outpostConfig=None)),
    ("NotImplemented", request(bootstrapSelfManagedAddons=False)),
    ("NotImplemented", request(deletionProtection=True)),
    ("NotImplemented", request(upgradePolicy={"supportType": "STANDARD"})),
]
for code, bad in BAD:
    answer = refused(code, eks.create_cluster, **bad)
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    assert status == {"NotImplemented": 501, "AccessDeniedException": 403}.get(code, 400), status
for code, odd in (
    (PARAMETER, request(outpostConfig__controlPlanePlacement={"spreadLevel": "host"})),
    (PARAMETER, request(outpostConfig__etcdInstanceType="m5.large")),
    ("SerializationException", request(name=1)),
    ("SerializationException", request(tags="none")),
    ("SerializationException", request(resourcesVpcConfig__subnetIds="one")),
):
    status, headers, body = raw("eks", "POST", "/clusters", odd)
    assert (status, headers["x-amzn-ErrorType"]) == (400, code), (status, headers, body)
assert eks.list_clusters()["clusters"] == []
status, _, body = raw("eks", "POST", "/clusters", request(name="tomorrow", aMemberOfTomorrow={"x": 1}))
assert status == 200 and body["cluster"]["name"] == "tomorrow", body
eks.delete_cluster(name="tomorrow")

# Taken: with everything that may be said, and with as little as possible.
logs = {"clusterLogging": [{"types": ["api", "audit"], "enabled": True}, {"types": ["scheduler"], "enabled": False}]}
full = request(
    version="1.31", logging=logs, tags={"team": "a"}, clientRequestToken="token-1",
    kubernetesNetworkConfig={"serviceIpv4Cidr": "10.9.0.0/16", "ipFamily": "ipv4"},
    accessConfig={"authenticationMode": "API_AND_CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": False},
    bootstrapSelfManagedAddons=True,
)
made = eks.create_cluster(**full)["cluster"]
assert made["status"] == "CREATING" and made["version"] == "1.31" and len(made["id"]) == 36
assert "endpoint" not in made and "data" not in made["certificateAuthority"]
assert made["arn"] == f"arn:aws:eks:us-west-2:{ACCOUNT}:cluster/one"
assert made["platformVersion"].startswith("eks-local-outposts.")
assert made["resourcesVpcConfig"]["vpcId"] == net["vpc"]
assert made["logging"]["clusterLogging"] == [
    {"types": ["api", "audit"], "enabled": True},
    {"types": ["authenticator", "controllerManager", "scheduler"], "enabled": False},
]
assert made["accessConfig"] == {
    "authenticationMode": "API_AND_CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": False,
}
assert made["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == "10.9.0.0/16"
assert "creator" not in str(made).replace("CreatorAdmin", "")
assert eks.create_cluster(**full)["cluster"]["id"] == made["id"], "the same token is the same call"
least = eks.create_cluster(**request(name="two"))["cluster"]
assert least["version"] == "1.33" and least["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == "172.20.0.0/16"
assert least["accessConfig"]["authenticationMode"] == "CONFIG_MAP"
assert [group["enabled"] for group in least["logging"]["clusterLogging"]] == [False]
taken = refused("ResourceInUseException", eks.create_cluster, **request(name="two"))
assert taken["ResponseMetadata"]["HTTPStatusCode"] == 409 and taken["clusterName"] == "two"

assert eks.list_clusters()["clusters"] == ["one", "tomorrow", "two"], "no reconciler runs here"
assert eks.list_clusters(include=["all"])["clusters"] == ["one", "tomorrow", "two"]
refused("InvalidParameterException", eks.list_clusters, include=["some"])
pages = eks.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 1})
assert [page["clusters"] for page in pages] == [["one"], ["tomorrow"], ["two"]]
assert eks.describe_cluster(name="one")["cluster"]["tags"] == {"team": "a"}
other = stranger("eks")
assert other.list_clusters()["clusters"] == []
for call in (other.describe_cluster, other.delete_cluster):
    missing = refused("ResourceNotFoundException", call, name="one")
    assert missing["ResponseMetadata"]["HTTPStatusCode"] == 404
assert eks.delete_cluster(name="one")["cluster"]["status"] == "DELETING"
assert eks.describe_cluster(name="one")["cluster"]["status"] == "DELETING"
refused("ResourceNotFoundException", eks.delete_cluster, name="three")
refused("NotImplemented", eks.list_nodegroups, clusterName="one")

# Whoever may create clusters must also be allowed to hand over the role.
policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["eks:*"],"Resource":"*"}]}'
iam.create_user(UserName="maker")
iam.put_user_policy(UserName="maker", PolicyName="eks", PolicyDocument=policy)
key = iam.create_access_key(UserName="maker")["AccessKey"]
import boto3

maker = boto3.client("eks", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
denied = refused("AccessDeniedException", maker.create_cluster, **request(name="three"))
assert "iam:PassRole" in denied["Error"]["Message"], denied

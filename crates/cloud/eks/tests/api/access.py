"""Access entries."""

from door import ACCOUNT, OUTPOST, eks, iam, outpost_vpc, refused, role, stranger

net = outpost_vpc()
able = role("cluster", "ec2.amazonaws.com", "AmazonEKSLocalOutpostClusterPolicy")
node = role("node", "ec2.amazonaws.com")
ann = iam.create_user(UserName="ann")["User"]["Arn"]
vpc = {"subnetIds": [net["private"]], "endpointPrivateAccess": True, "endpointPublicAccess": False}
outpost = {"outpostArns": [OUTPOST], "controlPlaneInstanceType": "m5.large"}
common = {"roleArn": able, "resourcesVpcConfig": vpc, "outpostConfig": outpost}
eks.create_cluster(name="one", accessConfig={"authenticationMode": "API"}, **common)
eks.create_cluster(name="old", **common)

entry = eks.create_access_entry(clusterName="one", principalArn=ann, kubernetesGroups=["viewers"], tags={"a": "b"})
entry = entry["accessEntry"]
assert entry["type"] == "STANDARD" and entry["username"] == ann and entry["kubernetesGroups"] == ["viewers"]
stem = f"arn:aws:eks:us-west-2:{ACCOUNT}:access-entry/one/user/{ACCOUNT}/ann/"
assert entry["accessEntryArn"].startswith(stem)
nodes = eks.create_access_entry(clusterName="one", principalArn=node, type="EC2_LINUX")["accessEntry"]
assert nodes["username"] == "system:node:{{EC2PrivateDNSName}}" and "system:nodes" in nodes["kubernetesGroups"]
assert eks.describe_access_entry(clusterName="one", principalArn=node)["accessEntry"] == nodes
assert eks.list_access_entries(clusterName="one")["accessEntries"] == sorted([node, ann])

PARAMETER = "InvalidParameterException"
BAD = [
    ("ResourceInUseException", {"principalArn": ann}),
    (PARAMETER, {"principalArn": f"arn:aws:iam::{ACCOUNT}:user/none"}),
    (PARAMETER, {"principalArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/node/x"}),
    (PARAMETER, {"principalArn": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/a.amazonaws.com/b"}),
    (PARAMETER, {"principalArn": "ann"}),
    (PARAMETER, {"principalArn": able, "type": "EC2_MAC"}),
    (PARAMETER, {"principalArn": f"arn:aws:iam::{ACCOUNT}:user/admin", "type": "EC2_LINUX"}),
    (PARAMETER, {"principalArn": able, "type": "EC2_LINUX", "kubernetesGroups": ["a"]}),
    (PARAMETER, {"principalArn": able, "type": "EC2_LINUX", "username": "a"}),
    (PARAMETER, {"principalArn": able, "kubernetesGroups": ["system:masters"]}),
    (PARAMETER, {"principalArn": able, "username": "system:admin"}),
    (PARAMETER, {"principalArn": able, "username": "{{SessionName}}"}),
    (PARAMETER, {"principalArn": able, "username": "{{SessionNameRaw}}:{{SessionName}}"}),
    (PARAMETER, {"principalArn": able, "kubernetesGroups": ["{{SessionName}}:masters"]}),
    (PARAMETER, {"principalArn": able, "type": "HYBRID_LINUX"}),
    (PARAMETER, {}),
]
for code, bad in BAD:
    refused(code, eks.create_access_entry, clusterName="one", **bad)
refused("InvalidRequestException", eks.create_access_entry, clusterName="old", principalArn=ann)
refused("InvalidRequestException", eks.list_access_entries, clusterName="old")
refused("ResourceNotFoundException", eks.create_access_entry, clusterName="none", principalArn=ann)
other = stranger("eks")
refused("ResourceNotFoundException", other.create_access_entry, clusterName="one", principalArn=ann)
refused("ResourceNotFoundException", other.list_access_entries, clusterName="one")
for call in (other.describe_access_entry, other.delete_access_entry):
    refused("ResourceNotFoundException", call, clusterName="one", principalArn=ann)

eks.delete_access_entry(clusterName="one", principalArn=ann)
for call in (eks.describe_access_entry, eks.delete_access_entry):
    refused("ResourceNotFoundException", call, clusterName="one", principalArn=ann)
assert eks.list_access_entries(clusterName="one")["accessEntries"] == [node]

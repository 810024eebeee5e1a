"""Instances, as far as the Region alone can know them."""

import base64

from door import OUTPOST, ec2, iam, named, outpost_vpc, refused, role, stranger, tags

net = outpost_vpc()
subnet = net["private"]
name = "amazon-eks-node-al2023-x86_64-standard-1.33-*"
image = ec2.describe_images(Owners=["amazon"], Filters=named(name=name))["Images"][0]["ImageId"]
group = ec2.create_security_group(VpcId=net["vpc"], GroupName="nodes", Description="x")["GroupId"]
node = role("node", "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy")
profile = iam.create_instance_profile(InstanceProfileName="node")["InstanceProfile"]
iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="node")

one = {"ImageId": image, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet}
run = ec2.run_instances(
    **one, SecurityGroupIds=[group], UserData="#!/bin/sh\necho hi", IamInstanceProfile={"Name": "node"},
    TagSpecifications=tags("instance", Name="n1"), ClientToken="t-1",
)
first = run["Instances"][0]
assert first["State"] == {"Code": 0, "Name": "pending"} and first["PrivateIpAddress"] == "10.0.1.4"
assert first["PrivateDnsName"] == "ip-10-0-1-4.us-west-2.compute.internal"
assert first["IamInstanceProfile"] == {"Arn": profile["Arn"], "Id": profile["InstanceProfileId"]}
assert first["OutpostArn"] == OUTPOST and first["SecurityGroups"] == [{"GroupId": group, "GroupName": "nodes"}]
refused("NotImplemented", ec2.run_instances, **one, TagSpecifications=tags("volume", Name="n1"))
refused("InvalidParameterValue", ec2.run_instances, **one, TagSpecifications=tags("vpc", Name="n1"))
again = ec2.run_instances(
    **one, SecurityGroupIds=[group], UserData="#!/bin/sh\necho hi", IamInstanceProfile={"Name": "node"},
    TagSpecifications=tags("instance", Name="n1"), ClientToken="t-1",
)
assert again["Instances"][0]["InstanceId"] == first["InstanceId"], "the same token is the same launch"

spelt = {key: value for key, value in one.items() if key != "SubnetId"}
eni = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group], "SecondaryPrivateIpAddressCount": 9}
second = ec2.run_instances(**spelt, NetworkInterfaces=[eni])["Instances"][0]
addresses = second["NetworkInterfaces"][0]["PrivateIpAddresses"]
assert len(addresses) == 10 and addresses[0]["Primary"] and addresses[9]["PrivateIpAddress"] == "10.0.1.14"
assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"] == 251 - 11
refused("PrivateIpAddressLimitExceeded", ec2.run_instances, **spelt,
        NetworkInterfaces=[{**eni, "SecondaryPrivateIpAddressCount": 10}])
refused("InvalidParameterCombination", ec2.run_instances, **one, NetworkInterfaces=[eni])
fixed = ec2.run_instances(**one, PrivateIpAddress="10.0.1.100")["Instances"][0]
assert fixed["PrivateIpAddress"] == "10.0.1.100"
refused("InvalidIPAddress.InUse", ec2.run_instances, **one, PrivateIpAddress="10.0.1.100")
refused("InvalidParameterValue", ec2.run_instances, **one, PrivateIpAddress="10.0.2.100")

changed = lambda **change: {**one, **change}
wrong = [
    ("InvalidAMIID.NotFound", changed(ImageId="ami-0123456789abcdef0")),
    ("InvalidAMIID.Malformed", changed(ImageId="image")),
    ("InvalidParameterValue", changed(InstanceType="m5.huge")),
    ("Unsupported", changed(InstanceType="t3.micro")),
    ("InvalidSubnetID.NotFound", changed(SubnetId="subnet-0123456789abcdef0")),
    ("InvalidParameterValue", changed(MinCount=0)),
    ("InvalidParameterValue", changed(MinCount=2)),
    ("InvalidKeyPair.NotFound", changed(KeyName="k")),
    ("InvalidGroup.NotFound", changed(SecurityGroupIds=["sg-0123456789abcdef0"])),
    ("InvalidParameterValue", changed(IamInstanceProfile={"Name": "none"})),
    ("InvalidPlacementGroup.Unknown", changed(Placement={"GroupName": "spread"})),
    ("InsufficientCapacityOnOutpost", changed(InstanceType="m5.4xlarge", MinCount=5, MaxCount=5)),
    ("NotImplemented", changed(LaunchTemplate={"LaunchTemplateName": "x"})),
    ("NotImplemented", changed(BlockDeviceMappings=[{"DeviceName": "/dev/xvda"}])),
]
for code, bad in wrong:
    refused(code, ec2.run_instances, **bad)
refused("InvalidSubnetID.NotFound", stranger("ec2").run_instances, **one)
big = changed(InstanceType="m5.4xlarge", MinCount=1, MaxCount=9)
assert len(ec2.run_instances(**big)["Instances"]) == 4, "as many as there are slots"
refused("InsufficientCapacityOnOutpost", ec2.run_instances, **big)
small = ec2.create_subnet(VpcId=net["vpc"], CidrBlock="10.0.2.0/28", AvailabilityZone="us-west-2a", OutpostArn=OUTPOST)
small = small["Subnet"]["SubnetId"]
refused("InsufficientFreeAddressesInSubnet", ec2.run_instances, **changed(SubnetId=small, MinCount=12, MaxCount=12))

# The metadata service's options: the request's word counts before the account's, and that before the image's.
options = lambda instance: {key: instance["MetadataOptions"][key] for key in
                            ("HttpTokens", "HttpPutResponseHopLimit", "HttpEndpoint", "InstanceMetadataTags")}
spoken = lambda tokens, hops, endpoint="enabled", told="disabled": {
    "HttpTokens": tokens, "HttpPutResponseHopLimit": hops, "HttpEndpoint": endpoint, "InstanceMetadataTags": told}
assert options(first) == spoken("required", 2), "the image requires tokens"
assert ec2.describe_images(ImageIds=[image])["Images"][0]["ImdsSupport"] == "v2.0"
old_name = named(name="amazon-eks-node-1.32-*")
old = ec2.describe_images(Owners=["amazon"], Filters=old_name)["Images"][0]
assert "ImdsSupport" not in old
launched = []
def launch(asked, image=image):
    instance = ec2.run_instances(**{**one, "ImageId": image}, MetadataOptions=asked)["Instances"][0]
    launched.append(instance["InstanceId"])
    return instance
assert options(launch({}, old["ImageId"])) == spoken("optional", 1)
assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {"ManagedBy": "account"}
ec2.modify_instance_metadata_defaults(HttpTokens="optional", HttpPutResponseHopLimit=5, InstanceMetadataTags="enabled")
ec2.modify_instance_metadata_defaults(InstanceMetadataTags="no-preference")
assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {
    "HttpTokens": "optional", "HttpPutResponseHopLimit": 5, "ManagedBy": "account"}
assert options(launch({})) == spoken("optional", 5)
asked = launch({"HttpTokens": "required", "HttpPutResponseHopLimit": 1})
assert options(asked) == spoken("required", 1)
assert stranger("ec2").get_instance_metadata_defaults()["AccountLevel"] == {"ManagedBy": "account"}
ec2.modify_instance_metadata_defaults(HttpTokens="no-preference", HttpPutResponseHopLimit=-1)
changing = dict(InstanceId=asked["InstanceId"], HttpEndpoint="disabled")
changing = ec2.modify_instance_metadata_options(**changing)["InstanceMetadataOptions"]
assert changing["State"] == "pending" and options({"MetadataOptions": changing}) == spoken("required", 1, "disabled")
read = ec2.describe_instances(InstanceIds=[asked["InstanceId"]])["Reservations"][0]["Instances"][0]
assert options(read) == spoken("required", 1, "disabled")
for code, bad in [
    ("InvalidParameterValue", {"HttpTokens": "never"}),
    ("InvalidParameterValue", {"HttpEndpoint": "on"}),
    ("InvalidParameterValue", {"HttpPutResponseHopLimit": 65}),
    ("NotImplemented", {"HttpProtocolIpv6": "enabled"}),
]:
    refused(code, ec2.run_instances, **one, MetadataOptions=bad)
    refused(code, ec2.modify_instance_metadata_options, InstanceId=asked["InstanceId"], **bad)
refused("InvalidParameterValue", ec2.run_instances, **one, MetadataOptions={"InstanceMetadataTags": "enabled"},
        TagSpecifications=tags("instance", **{"a/b": "x"}))
refused("InvalidInstanceID.NotFound", stranger("ec2").modify_instance_metadata_options, InstanceId=asked["InstanceId"],
        HttpTokens="optional")
ec2.terminate_instances(InstanceIds=launched)

ids = lambda **filters: [
    instance["InstanceId"]
    for reservation in ec2.describe_instances(Filters=named(**filters))["Reservations"]
    for instance in reservation["Instances"]
]
assert ids(private_ip_address="10.0.1.4") == [first["InstanceId"]]
assert ids(instance_state_name="pending", instance_type="m5.large", subnet_id=subnet) == sorted(
    [first["InstanceId"], second["InstanceId"], fixed["InstanceId"]])
assert ids(instance_state_name="running") == []
refused("InvalidInstanceID.NotFound", stranger("ec2").describe_instances, InstanceIds=[first["InstanceId"]])
refused("InvalidInstanceID.NotFound", stranger("ec2").terminate_instances, InstanceIds=[first["InstanceId"]])
refused("InvalidInstanceID.Malformed", ec2.describe_instances, InstanceIds=["x"])
ending = ec2.terminate_instances(InstanceIds=[first["InstanceId"]])["TerminatingInstances"][0]
assert (ending["PreviousState"]["Name"], ending["CurrentState"]["Name"]) == ("pending", "shutting-down")
gone = ec2.describe_instances(InstanceIds=[first["InstanceId"]])["Reservations"][0]["Instances"][0]
assert gone["State"]["Name"] == "shutting-down" and gone["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
refused("IncorrectInstanceState", ec2.modify_instance_metadata_options, InstanceId=first["InstanceId"],
        HttpTokens="optional")
refused("DependencyViolation", ec2.delete_security_group, GroupId=group)
refused("InvalidInstanceID.NotFound", ec2.terminate_instances, InstanceIds=["i-0123456789abcdef0"])

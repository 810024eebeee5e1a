"""Clusters and instances with the Region's reconcilers and a site beside them."""

from door import OUTPOST, ec2, eks, iam, named, outpost_vpc, outposts, refused, role, until

able = role("cluster", "ec2.amazonaws.com", "AmazonEKSLocalOutpostClusterPolicy")


def request(name, *subnets, kind="m5.large", role_arn=able):
    vpc = {"subnetIds": list(subnets), "endpointPrivateAccess": True, "endpointPublicAccess": False}
    outpost = {"outpostArns": [OUTPOST], "controlPlaneInstanceType": kind}
    return {"name": name, "roleArn": role_arn, "resourcesVpcConfig": vpc, "outpostConfig": outpost}


def cluster(name):
    return eks.describe_cluster(name=name)["cluster"]


def active(name):
    return until(f"{name} ACTIVE", lambda: (c := cluster(name))["status"] == "ACTIVE" and c)


def hindered(name, code, resources=None):
    def there():
        found = cluster(name)
        issues = [issue for issue in found["health"]["issues"] if issue["code"] == code]
        return found["status"] == "CREATING" and issues and issues[0]

    issue = until(f"{name} hindered by {code}", there)
    assert resources is None or issue["resourceIds"] == resources, issue
    return issue


def instances(**filters):
    found = ec2.describe_instances(Filters=named(**filters))["Reservations"]
    return [instance for reservation in found for instance in reservation["Instances"]]


# A cluster becomes active; its three members are the account's own instances.
net = outpost_vpc()

eks.create_cluster(**request("my-cluster", net["private"]))
one = active("my-cluster")
assert one["endpoint"] == "https://127.0.0.1:6443" and one["certificateAuthority"]["data"]
assert one["health"]["issues"] == []
members = [i for i in instances(subnet_id=net["private"]) if i["State"]["Name"] == "running"]
names = sorted(tag["Value"] for member in members for tag in member["Tags"] if tag["Key"] == "Name")
assert names == [f"my-cluster-control-plane-id{n}" for n in (1, 2, 3)]
assert sorted(member["PrivateIpAddress"] for member in members) == ["10.0.1.4", "10.0.1.5", "10.0.1.6"]
controlled = [{"Name": "tag:eks-local:controlplane-name", "Values": ["my-cluster"]}]
groups = ec2.describe_security_groups(Filters=controlled)["SecurityGroups"]
stems = sorted(group["GroupName"].rsplit("-", 1)[0] for group in groups)
assert stems == ["eks-cluster-sg-my-cluster", "eks-local-internal-do-not-use-or-edit-my-cluster"]
own = one["resourcesVpcConfig"]["clusterSecurityGroupId"]
cluster_group = next(group for group in groups if group["GroupId"] == own)
assert cluster_group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == own
internal = next(group for group in groups if group["GroupId"] != own)
https = [rule for rule in internal["IpPermissions"] if rule["IpProtocol"] == "tcp"]
assert [block["CidrIp"] for block in https[0]["IpRanges"]] == ["10.0.0.0/16"]
interfaces = ec2.describe_network_interfaces(Filters=controlled)["NetworkInterfaces"]
assert len(interfaces) == 3 and all(i["Description"] == "Amazon EKS my-cluster" for i in interfaces)
waiter = eks.get_waiter("cluster_active")
waiter.wait(name="my-cluster", WaiterConfig={"Delay": 1, "MaxAttempts": 3})

# A member that somebody terminates is replaced behind the same address.
lost = members[0]
ec2.terminate_instances(InstanceIds=[lost["InstanceId"]])
heir = until("a new member", lambda: [
    i for i in instances(private_ip_address=lost["PrivateIpAddress"], instance_state_name="running")
    if i["InstanceId"] != lost["InstanceId"]
])[0]
assert heir["NetworkInterfaces"][0]["NetworkInterfaceId"] == lost["NetworkInterfaces"][0]["NetworkInterfaceId"]
until("health again", lambda: cluster("my-cluster")["health"]["issues"] == [])
assert cluster("my-cluster")["status"] == "ACTIVE"

# Nothing that a cluster stands on can be deleted under it.
refused("DependencyViolation", ec2.delete_subnet, SubnetId=net["private"])
refused("DependencyViolation", ec2.delete_security_group, GroupId=own)

# Deleting gives everything back.
refused_names = eks.delete_cluster(name="my-cluster")["cluster"]
assert refused_names["status"] == "DELETING"
eks.get_waiter("cluster_deleted").wait(name="my-cluster", WaiterConfig={"Delay": 1, "MaxAttempts": 10})
refused("ResourceNotFoundException", eks.describe_cluster, name="my-cluster")
until("members terminated", lambda: {i["State"]["Name"] for i in instances(subnet_id=net["private"])} == {"terminated"})
assert ec2.describe_network_interfaces(Filters=named(subnet_id=net["private"]))["NetworkInterfaces"] == []
assert ec2.describe_security_groups(Filters=controlled)["SecurityGroups"] == []
ec2.delete_subnet(SubnetId=net["private"])

# What hinders a cluster shows as health; when it is mended, the cluster heals.
poor = outpost_vpc("10.1.0.0/16", way_out=False)
eks.create_cluster(**request("no-way-out", poor["private"]))
issue = hindered("no-way-out", "ClusterUnreachable")
assert len(issue["resourceIds"]) == 3 and all(id.startswith("i-") for id in issue["resourceIds"])
ec2.create_route(RouteTableId=poor["table"], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=poor["nat"])
active("no-way-out")

ec2.modify_vpc_attribute(VpcId=poor["vpc"], EnableDnsHostnames={"Value": False})
eks.create_cluster(**request("no-names", poor["private"]))
hindered("no-names", "ConfigurationConflict", [poor["vpc"]])
ec2.modify_vpc_attribute(VpcId=poor["vpc"], EnableDnsHostnames={"Value": True})
active("no-names")

weak = role("weak", "ec2.amazonaws.com")
eks.create_cluster(**request("no-policy", poor["private"], role_arn=weak))
hindered("no-policy", "AccessDenied", [weak])
iam.attach_role_policy(RoleName="weak", PolicyArn="arn:aws:iam::aws:policy/AmazonEKSLocalOutpostClusterPolicy")
active("no-policy")

missing = "subnet-0123456789abcdef0"
eks.create_cluster(**request("no-subnet", poor["private"], missing))
hindered("no-subnet", "ResourceNotFound", [poor["private"], missing])
eks.create_cluster(**request("two-vpcs", poor["private"], net["public"]))
hindered("two-vpcs", "ConfigurationConflict", [poor["private"], net["public"]])
eks.create_cluster(**request("in-zone", poor["public"]))
assert "not part of any Outpost" in hindered("in-zone", "ConfigurationConflict", [poor["public"]])["message"]
eks.create_cluster(**request("no-type", poor["private"], kind="m5.24xlarge"))
arn = cluster("no-type")["arn"]
hindered("no-type", "ConfigurationConflict", [arn])

eks.create_cluster(**request("first", poor["private"], kind="r5.4xlarge"))
active("first")
eks.create_cluster(**request("second", poor["private"], kind="r5.4xlarge"))
hindered("second", "ResourceLimitExceeded", [cluster("second")["arn"]])
eks.delete_cluster(name="first")
active("second")

zone = {"AvailabilityZone": "us-west-2a", "OutpostArn": OUTPOST}
small = ec2.create_subnet(VpcId=poor["vpc"], CidrBlock="10.1.2.0/28", **zone)["Subnet"]["SubnetId"]
ec2.associate_route_table(RouteTableId=poor["table"], SubnetId=small)
image = ec2.describe_images(Owners=["amazon"], Filters=named(name="amazon-eks-node-al2023*1.33*"))["Images"][0]["ImageId"]
launch = {"ImageId": image, "InstanceType": "c5.large", "SubnetId": small, "MinCount": 10, "MaxCount": 10}
ids = [instance["InstanceId"] for instance in ec2.run_instances(**launch)["Instances"]]
until("running", lambda: len(instances(subnet_id=small, instance_state_name="running")) == 10)
eks.create_cluster(**request("no-address", small))
hindered("no-address", "ResourceLimitExceeded", [small])
ec2.terminate_instances(InstanceIds=ids[:2])
active("no-address")

# One that never was placed is gone at once.
eks.delete_cluster(name="no-subnet")
eks.get_waiter("cluster_deleted").wait(name="no-subnet", WaiterConfig={"Delay": 1, "MaxAttempts": 5})

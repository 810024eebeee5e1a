"""VPCs, subnets, gateways, addresses, route tables, tags."""

from door import ACCOUNT, OUTPOST, ec2, named, refused, stranger, tags

other = stranger("ec2")

# A VPC comes with a main route table and a default security group.
vpc = ec2.create_vpc(CidrBlock="10.1.2.3/16", TagSpecifications=tags("vpc", Name="one"))["Vpc"]
assert vpc["CidrBlock"] == "10.1.0.0/16" and vpc["OwnerId"] == ACCOUNT and not vpc["IsDefault"]
vpc_id = vpc["VpcId"]
assert ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]["Tags"] == [{"Key": "Name", "Value": "one"}]
main = ec2.describe_route_tables(Filters=named(vpc_id=vpc_id))["RouteTables"]
assert [table["Associations"][0]["Main"] for table in main] == [True]
assert main[0]["Routes"][0]["GatewayId"] == "local"
group = ec2.describe_security_groups(Filters=named(vpc_id=vpc_id, group_name="default"))["SecurityGroups"][0]
assert group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == group["GroupId"]
assert group["IpPermissionsEgress"][0]["IpRanges"][0]["CidrIp"] == "0.0.0.0/0"

for block in ("10.0.0.0/15", "10.0.0.0/29", "127.0.0.0/16", "169.254.0.0/24"):
    refused("InvalidVpc.Range", ec2.create_vpc, CidrBlock=block)
refused("InvalidParameterValue", ec2.create_vpc, CidrBlock="ten")
refused("MissingParameter", ec2.create_vpc)
refused("InvalidParameterValue", ec2.create_vpc, CidrBlock="10.0.0.0/16", TagSpecifications=tags("subnet", Name="x"))
refused("NotImplemented", ec2.create_vpc, CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)
refused("InvalidVpcID.Malformed", ec2.describe_vpcs, VpcIds=["vpc-x"])
refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=["vpc-0123456789abcdef0"])
refused("InvalidVpcID.NotFound", other.describe_vpcs, VpcIds=[vpc_id])
refused("InvalidVpcID.NotFound", other.delete_vpc, VpcId=vpc_id)
refused("NotImplemented", ec2.describe_network_acls)
refused("DryRunOperation", ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)

# Attributes.
read = lambda name, key: ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=name)[key]["Value"]
assert read("enableDnsSupport", "EnableDnsSupport") and not read("enableDnsHostnames", "EnableDnsHostnames")
ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
assert read("enableDnsHostnames", "EnableDnsHostnames")
assert not read("enableNetworkAddressUsageMetrics", "EnableNetworkAddressUsageMetrics")
refused("InvalidParameterValue", ec2.describe_vpc_attribute, VpcId=vpc_id, Attribute="colour")
both = {"EnableDnsHostnames": {"Value": True}, "EnableDnsSupport": {"Value": True}}
refused("InvalidParameterCombination", ec2.modify_vpc_attribute, VpcId=vpc_id, **both)

# Subnets, in a Zone and on the Outpost.
zone = {"AvailabilityZone": "us-west-2a"}
public = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.1.0.0/24", **zone)["Subnet"]
assert (public["AvailableIpAddressCount"], public["AvailabilityZoneId"]) == (251, "usw2-az1")
inner = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.1.1.0/24", OutpostArn=OUTPOST, **zone)["Subnet"]
assert inner["OutpostArn"] == OUTPOST
refused("InvalidSubnet.Conflict", ec2.create_subnet, VpcId=vpc_id, CidrBlock="10.1.1.128/25")
refused("InvalidSubnet.Range", ec2.create_subnet, VpcId=vpc_id, CidrBlock="10.2.0.0/24")
refused("InvalidSubnet.Range", ec2.create_subnet, VpcId=vpc_id, CidrBlock="10.1.2.0/29")
refused("InvalidParameterValue", ec2.create_subnet, VpcId=vpc_id, CidrBlock="10.1.2.0/24", AvailabilityZone="x")
refused("MissingParameter", ec2.create_subnet, VpcId=vpc_id, CidrBlock="10.1.2.0/24", OutpostArn=OUTPOST)
elsewhere = {"AvailabilityZone": "us-west-2b", "OutpostArn": OUTPOST}
refused("InvalidParameterValue", ec2.create_subnet, VpcId=vpc_id, CidrBlock="10.1.2.0/24", **elsewhere)
unknown = {"OutpostArn": OUTPOST[:-1] + "f", **zone}
refused("InvalidParameterValue", ec2.create_subnet, VpcId=vpc_id, CidrBlock="10.1.2.0/24", **unknown)
refused("InvalidVpcID.NotFound", other.create_subnet, VpcId=vpc_id, CidrBlock="10.1.2.0/24")
on_outpost = ec2.describe_subnets(Filters=named(outpost_arn=OUTPOST, vpc_id=vpc_id))["Subnets"]
assert [subnet["SubnetId"] for subnet in on_outpost] == [inner["SubnetId"]]
refused("InvalidSubnetID.NotFound", other.describe_subnets, SubnetIds=[inner["SubnetId"]])
refused("InvalidParameterValue", ec2.describe_subnets, Filters=named(colour="red"))
ec2.modify_subnet_attribute(SubnetId=public["SubnetId"], MapPublicIpOnLaunch={"Value": True})
assert ec2.describe_subnets(SubnetIds=[public["SubnetId"]])["Subnets"][0]["MapPublicIpOnLaunch"]
refused("MissingParameter", ec2.modify_subnet_attribute, SubnetId=public["SubnetId"])

# An internet gateway.
gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
refused("Gateway.NotAttached", ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc_id)
ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
refused("Resource.AlreadyAssociated", ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc_id)
second = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
refused("InvalidParameterValue", ec2.attach_internet_gateway, InternetGatewayId=second, VpcId=vpc_id)
shown = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc_id]}])
assert [found["InternetGatewayId"] for found in shown["InternetGateways"]] == [gateway]
refused("InvalidInternetGatewayID.NotFound", other.delete_internet_gateway, InternetGatewayId=gateway)
ec2.delete_internet_gateway(InternetGatewayId=second)
refused("InvalidInternetGatewayID.NotFound", ec2.delete_internet_gateway, InternetGatewayId=second)
refused("DependencyViolation", ec2.delete_internet_gateway, InternetGatewayId=gateway)

# Addresses come out of one pool for all accounts.
mine = ec2.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip", Name="nat"))
theirs = other.allocate_address(Domain="vpc")
assert (mine["PublicIp"], theirs["PublicIp"]) == ("198.19.0.1", "198.19.0.2")
refused("InvalidAllocationID.NotFound", other.release_address, AllocationId=mine["AllocationId"])
refused("InvalidParameterValue", ec2.release_address, PublicIp=mine["PublicIp"])
refused("InvalidParameterValue", ec2.allocate_address, NetworkBorderGroup="us-west-2-lax-1")
bordered = ec2.allocate_address(NetworkBorderGroup="us-west-2")["AllocationId"]
refused("InvalidParameterValue", ec2.release_address, AllocationId=bordered, NetworkBorderGroup="us-west-2-lax-1")
ec2.release_address(AllocationId=bordered, NetworkBorderGroup="us-west-2")
refused("InvalidAddress.NotFound", ec2.describe_addresses, PublicIps=[theirs["PublicIp"]])
left_out = ec2.describe_addresses(PublicIps=[mine["PublicIp"]], Filters=named(allocation_id="eipalloc-0"))
assert left_out["Addresses"] == []

# A NAT gateway.
nat = {"AllocationId": mine["AllocationId"]}
refused("UnsupportedOperation", ec2.create_nat_gateway, SubnetId=inner["SubnetId"], **nat)
nat = ec2.create_nat_gateway(SubnetId=public["SubnetId"], **nat)["NatGateway"]
assert nat["State"] == "available" and nat["NatGatewayAddresses"][0]["PublicIp"] == mine["PublicIp"]
nat_id = nat["NatGatewayId"]
again = {"SubnetId": public["SubnetId"], "AllocationId": mine["AllocationId"]}
refused("Resource.AlreadyAssociated", ec2.create_nat_gateway, **again)
refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=mine["AllocationId"])
refused("NatGatewayNotFound", other.delete_nat_gateway, NatGatewayId=nat_id)
refused("DependencyViolation", ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc_id)
refused("DependencyViolation", ec2.delete_subnet, SubnetId=public["SubnetId"])
interface = ec2.describe_network_interfaces(Filters=named(subnet_id=public["SubnetId"]))["NetworkInterfaces"][0]
assert interface["InterfaceType"] == "nat_gateway" and interface["Association"]["PublicIp"] == mine["PublicIp"]
assert interface["PrivateIpAddress"] == "10.1.0.4"
assert ec2.describe_subnets(SubnetIds=[public["SubnetId"]])["Subnets"][0]["AvailableIpAddressCount"] == 250
refused("InvalidNetworkInterfaceID.NotFound", other.describe_network_interfaces,
        NetworkInterfaceIds=[interface["NetworkInterfaceId"]])
known = ec2.describe_addresses_attribute(AllocationIds=[mine["AllocationId"]], Attribute="domain-name")["Addresses"]
assert known == [{"PublicIp": mine["PublicIp"], "AllocationId": mine["AllocationId"]}]
refused("InvalidAllocationID.NotFound", ec2.describe_addresses_attribute, AllocationIds=[theirs["AllocationId"]])
address = ec2.describe_addresses(AllocationIds=[mine["AllocationId"]])["Addresses"][0]
assert address["NetworkInterfaceId"] == interface["NetworkInterfaceId"]
refused("AuthFailure", ec2.disassociate_address, AssociationId=address["AssociationId"])
refused("InvalidAssociationID.NotFound", other.disassociate_address, AssociationId=address["AssociationId"])
refused("MissingParameter", ec2.disassociate_address)

# Route tables.
table = ec2.create_route_table(VpcId=vpc_id, TagSpecifications=tags("route-table", Name="inner"))["RouteTable"]
table_id = table["RouteTableId"]
route = {"RouteTableId": table_id, "DestinationCidrBlock": "0.0.0.0/0"}
assert ec2.create_route(NatGatewayId=nat_id, **route)["Return"]
assert ec2.create_route(NatGatewayId=nat_id, **route)["Return"], "the same route again"
refused("RouteAlreadyExists", ec2.create_route, GatewayId=gateway, **route)
refused("MissingParameter", ec2.create_route, **route)
refused("InvalidParameterCombination", ec2.create_route, GatewayId=gateway, NatGatewayId=nat_id, **route)
inside = {"RouteTableId": table_id, "DestinationCidrBlock": "10.1.9.0/24"}
refused("InvalidParameterValue", ec2.create_route, NatGatewayId=nat_id, **inside)
local = {"RouteTableId": table_id, "DestinationCidrBlock": "172.16.0.0/12"}
refused("InvalidLocalGatewayID.NotFound", ec2.create_route, LocalGatewayId="lgw-0123456789abcdef0", **local)
refused("NotImplemented", ec2.create_route, TransitGatewayId="tgw-0123456789abcdef0", **local)
detached = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
refused("InvalidParameterValue", ec2.create_route, GatewayId=detached, **local)
refused("InvalidRouteTableID.NotFound", other.create_route, NatGatewayId=nat_id, **route)
association = ec2.associate_route_table(RouteTableId=table_id, SubnetId=inner["SubnetId"])["AssociationId"]
main_id = main[0]["RouteTableId"]
refused("Resource.AlreadyAssociated", ec2.associate_route_table, RouteTableId=main_id, SubnetId=inner["SubnetId"])
own = [{"Name": "association.subnet-id", "Values": [inner["SubnetId"]]}]
shown = ec2.describe_route_tables(Filters=own)["RouteTables"]
assert [found["RouteTableId"] for found in shown] == [table_id]
assert shown[0]["Routes"][1]["State"] == "active"
refused("DependencyViolation", ec2.delete_route_table, RouteTableId=table_id)
refused("DependencyViolation", ec2.delete_route_table, RouteTableId=main_id)
main_association = main[0]["Associations"][0]["RouteTableAssociationId"]
refused("InvalidParameterValue", ec2.disassociate_route_table, AssociationId=main_association)
refused("InvalidAssociationID.NotFound", other.disassociate_route_table, AssociationId=association)

# Tags.
ec2.create_tags(Resources=[vpc_id, table_id], Tags=[{"Key": "team", "Value": "a"}, {"Key": "Name", "Value": "two"}])
found = ec2.describe_tags(Filters=named(resource_id=vpc_id))["Tags"]
assert [(tag["Key"], tag["Value"]) for tag in found] == [("Name", "two"), ("team", "a")]
assert [v["VpcId"] for v in ec2.describe_vpcs(Filters=[{"Name": "tag:team", "Values": ["?"]}])["Vpcs"]] == [vpc_id]
assert [v["VpcId"] for v in ec2.describe_vpcs(Filters=[{"Name": "tag-key", "Values": ["te*"]}])["Vpcs"]] == [vpc_id]
ec2.delete_tags(Resources=[vpc_id], Tags=[{"Key": "team", "Value": "b"}])
assert len(ec2.describe_tags(Filters=named(resource_id=vpc_id))["Tags"]) == 2
ec2.delete_tags(Resources=[vpc_id], Tags=[{"Key": "team"}])
assert len(ec2.describe_tags(Filters=named(resource_id=vpc_id))["Tags"]) == 1
ec2.delete_tags(Resources=[vpc_id])
assert ec2.describe_tags(Filters=named(resource_id=vpc_id))["Tags"] == []
refused("InvalidID", ec2.create_tags, Resources=["x-1"], Tags=[{"Key": "a", "Value": "b"}])
refused("InvalidParameterValue", ec2.create_tags, Resources=[vpc_id], Tags=[{"Key": "aws:a", "Value": "b"}])
refused("InvalidVpcID.NotFound", other.create_tags, Resources=[vpc_id], Tags=[{"Key": "a", "Value": "b"}])

# Down again, in the order that dependencies ask for.
refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc_id)
ec2.delete_nat_gateway(NatGatewayId=nat_id)
gone = ec2.describe_nat_gateways(NatGatewayIds=[nat_id])["NatGateways"][0]
assert gone["State"] == "deleted" and gone["NatGatewayAddresses"] == [] and gone["DeleteTime"]
assert ec2.describe_nat_gateways(Filters=named(state="available"))["NatGateways"] == []
assert ec2.describe_route_tables(RouteTableIds=[table_id])["RouteTables"][0]["Routes"][1]["State"] == "blackhole"
ec2.release_address(AllocationId=mine["AllocationId"])
refused("InvalidAllocationID.NotFound", ec2.release_address, AllocationId=mine["AllocationId"])
assert ec2.allocate_address(Domain="vpc")["PublicIp"] == mine["PublicIp"], "the lowest free one"
refused("InvalidParameterValue", ec2.delete_route, RouteTableId=table_id, DestinationCidrBlock="10.1.0.0/16")
ec2.delete_route(**route)
refused("InvalidRoute.NotFound", ec2.delete_route, **route)
ec2.disassociate_route_table(AssociationId=association)
refused("InvalidAssociationID.NotFound", ec2.disassociate_route_table, AssociationId=association)
ec2.delete_route_table(RouteTableId=table_id)
refused("InvalidRouteTableID.NotFound", ec2.delete_route_table, RouteTableId=table_id)
for subnet in (public, inner):
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])
refused("InvalidSubnetID.NotFound", ec2.delete_subnet, SubnetId=inner["SubnetId"])
refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc_id)
ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
ec2.delete_internet_gateway(InternetGatewayId=gateway)
ec2.delete_vpc(VpcId=vpc_id)
refused("InvalidVpcID.NotFound", ec2.delete_vpc, VpcId=vpc_id)
assert ec2.describe_security_groups(Filters=named(vpc_id=vpc_id))["SecurityGroups"] == []

# Pages.
made = [ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in range(10, 17)]
pages = list(ec2.get_paginator("describe_vpcs").paginate(Filters=named(is_default="false"), PaginationConfig={"PageSize": 5}))
assert [len(page["Vpcs"]) for page in pages] == [5, 2]
assert [v["VpcId"] for page in pages for v in page["Vpcs"]] == sorted(made)

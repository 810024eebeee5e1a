"""Regions, Zones, images, instance types, Outposts."""

from door import ACCOUNT, OUTPOST, ec2, named, outposts, refused, stranger

zones = ec2.describe_availability_zones()["AvailabilityZones"]
assert [(zone["ZoneName"], zone["ZoneId"]) for zone in zones][0] == ("us-west-2a", "usw2-az1") and len(zones) == 4
assert len(ec2.describe_availability_zones(Filters=named(zone_name="us-west-2[ab]"))["AvailabilityZones"]) == 0
assert ec2.describe_availability_zones(AllAvailabilityZones=True)["AvailabilityZones"] == zones
assert len(ec2.describe_availability_zones(ZoneNames=["us-west-2b"])["AvailabilityZones"]) == 1
refused("InvalidParameterValue", ec2.describe_availability_zones, ZoneNames=["us-east-1a"])
regions = ec2.describe_regions()["Regions"]
assert {"us-west-2", "us-east-1", "ap-northeast-1"} <= {region["RegionName"] for region in regions}
assert len(ec2.describe_regions(AllRegions=True)["Regions"]) > len(regions)
assert ec2.describe_regions(RegionNames=["us-west-2"])["Regions"][0]["Endpoint"] == "ec2.us-west-2.amazonaws.com"
refused("InvalidParameterValue", ec2.describe_regions, RegionNames=["mars-north-1"])

name = "amazon-eks-node-al2023-x86_64-standard-1.33-*"
images = ec2.describe_images(Owners=["amazon"], Filters=named(name=name, state="available"))["Images"]
assert len(images) == 1 and images[0]["CreationDate"]
assert ec2.describe_images(ImageIds=[images[0]["ImageId"]])["Images"] == images
assert ec2.describe_images(ImageIds=[images[0]["ImageId"]], IncludeDeprecated=True)["Images"] == images
refused("NotImplemented", ec2.describe_images, ExecutableUsers=["self"])
assert ec2.describe_images(Owners=["self"])["Images"] == []
assert len(ec2.describe_images(Owners=["amazon"], Filters=named(name="amazon-eks-node-*"))["Images"]) > 20
refused("InvalidAMIID.NotFound", ec2.describe_images, ImageIds=["ami-0123456789abcdef0"])

large = ec2.describe_instance_types(InstanceTypes=["m5.large"])["InstanceTypes"][0]
assert large["VCpuInfo"]["DefaultVCpus"] == 2 and large["MemoryInfo"]["SizeInMiB"] == 8192
assert large["NetworkInfo"]["MaximumNetworkInterfaces"] == 3
assert large["NetworkInfo"]["Ipv4AddressesPerInterface"] == 10
many = ec2.describe_instance_types(Filters=named(instance_type="c5*.large"))["InstanceTypes"]
assert [kind["InstanceType"] for kind in many] == ["c5.large", "c5d.large"]
refused("InvalidInstanceType", ec2.describe_instance_types, InstanceTypes=["m5.huge"])

mine = outposts.list_outposts()["Outposts"]
assert [outpost["OutpostArn"] for outpost in mine] == [OUTPOST] and mine[0]["OwnerId"] == ACCOUNT
assert outposts.list_outposts(AvailabilityZoneFilter=["us-west-2b"])["Outposts"] == []
assert stranger("outposts").list_outposts()["Outposts"] == []
by_arn = outposts.get_outpost(OutpostId=OUTPOST)["Outpost"]
assert by_arn == outposts.get_outpost(OutpostId=by_arn["OutpostId"])["Outpost"]
assert by_arn["LifeCycleStatus"] == "ACTIVE" and by_arn["SupportedHardwareType"] == "RACK"
refused("NotFoundException", stranger("outposts").get_outpost, OutpostId=by_arn["OutpostId"])
refused("NotFoundException", stranger("outposts").get_outpost, OutpostId=OUTPOST)
refused("NotFoundException", outposts.get_outpost, OutpostId="op-fedcba98765432100")
refused("ValidationException", outposts.get_outpost, OutpostId="outpost-1")
kinds = outposts.get_outpost_instance_types(OutpostId=OUTPOST)
assert {"m5.large", "c5.4xlarge"} <= {kind["InstanceType"] for kind in kinds["InstanceTypes"]}
refused("NotFoundException", stranger("outposts").get_outpost_instance_types, OutpostId=OUTPOST)
refused("NotImplemented", outposts.list_sites)

gateways = ec2.describe_local_gateways(Filters=named(outpost_arn=OUTPOST))["LocalGateways"]
assert len(gateways) == 1 and gateways[0]["State"] == "available"
gateway = gateways[0]["LocalGatewayId"]
refused("InvalidLocalGatewayID.NotFound", stranger("ec2").describe_local_gateways, LocalGatewayIds=[gateway])
vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
ec2.create_route(RouteTableId=table, DestinationCidrBlock="172.16.0.0/12", LocalGatewayId=gateway)
routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
assert [route.get("LocalGatewayId") for route in routes] == [None, gateway] and routes[1]["State"] == "active"

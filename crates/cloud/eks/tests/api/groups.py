"""Security groups and their rules."""

from door import ec2, named, refused, stranger, tags

other = stranger("ec2")
vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
elsewhere = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
create = {"GroupName": "web", "Description": "front"}
web = ec2.create_security_group(VpcId=vpc, TagSpecifications=tags("security-group", Name="w"), **create)["GroupId"]
refused("InvalidGroup.Duplicate", ec2.create_security_group, VpcId=vpc, **create)
far = ec2.create_security_group(VpcId=elsewhere, **create)["GroupId"]
refused("InvalidVpcID.NotFound", other.create_security_group, VpcId=vpc, **create)
refused("InvalidGroup.Reserved", ec2.create_security_group, VpcId=vpc, GroupName="default", Description="x")
refused("InvalidParameterValue", ec2.create_security_group, VpcId=vpc, GroupName="sg-1", Description="x")
refused("MissingParameter", ec2.create_security_group, VpcId=vpc, GroupName="a")
in_default = ec2.create_security_group(GroupName="plain", Description="in the default VPC")["GroupId"]

https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
permission = {**https, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "us"}, {"CidrIp": "192.168.1.1/16"}]}
made = ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[permission])["SecurityGroupRules"]
assert [rule["CidrIpv4"] for rule in made] == ["10.0.0.0/8", "192.168.0.0/16"]
refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=web, IpPermissions=[permission])
from_itself = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": web}]}
ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[from_itself])
ec2.authorize_security_group_ingress(GroupName="plain", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
ec2.authorize_security_group_egress(GroupId=web, IpPermissions=[{**https, "IpRanges": [{"CidrIp": "1.0.0.0/8"}]}])
shown = ec2.describe_security_groups(GroupIds=[web])["SecurityGroups"][0]
assert len(shown["IpPermissions"]) == 2 and len(shown["IpPermissionsEgress"]) == 2
assert shown["IpPermissions"][0]["IpRanges"][0] == {"CidrIp": "10.0.0.0/8", "Description": "us"}

wrong = [
    ("InvalidParameterValue", {**https, "IpRanges": [{"CidrIp": "10.0.0.0"}]}),
    ("InvalidParameterValue", {"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}),
    ("InvalidParameterValue", {"IpProtocol": "tpc", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}),
    ("InvalidParameterValue", https),
    ("InvalidGroup.NotFound", {**https, "UserIdGroupPairs": [{"GroupId": far}]}),
    ("InvalidGroup.NotFound", {**https, "UserIdGroupPairs": [{"GroupId": "sg-0123456789abcdef0"}]}),
    ("NotImplemented", {**https, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}),
]
for code, bad in wrong:
    refused(code, ec2.authorize_security_group_ingress, GroupId=web, IpPermissions=[bad])
refused("InvalidGroup.NotFound", other.authorize_security_group_ingress, GroupId=web, IpPermissions=[permission])
refused("InvalidGroup.NotFound", other.describe_security_groups, GroupIds=[web])

# What Terraform does to a fresh group.
everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
ec2.revoke_security_group_egress(GroupId=web, IpPermissions=[everything])
refused("InvalidPermission.NotFound", ec2.revoke_security_group_egress, GroupId=web, IpPermissions=[everything])
six = {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
refused("InvalidPermission.NotFound", ec2.revoke_security_group_egress, GroupId=web, IpPermissions=[six])
gone = ec2.revoke_security_group_ingress(GroupId=web, SecurityGroupRuleIds=[made[0]["SecurityGroupRuleId"]])
assert gone["RevokedSecurityGroupRules"][0]["CidrIpv4"] == "10.0.0.0/8"
missing = ["sgr-0123456789abcdef0"]
refused("InvalidSecurityGroupRuleId.NotFound", ec2.revoke_security_group_ingress, GroupId=web, SecurityGroupRuleIds=missing)

# Filters.
ids = lambda **filters: [g["GroupId"] for g in ec2.describe_security_groups(Filters=named(**filters))["SecurityGroups"]]
assert ids(vpc_id=vpc, group_name="w*") == [web]
by_port = [{"Name": "ip-permission.from-port", "Values": ["22"]}]
assert [g["GroupId"] for g in ec2.describe_security_groups(Filters=by_port)["SecurityGroups"]] == [in_default]

# Deleting.
back = ec2.create_security_group(VpcId=vpc, GroupName="back", Description="behind")["GroupId"]
ec2.authorize_security_group_ingress(GroupId=back, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": web}]}])
refused("DependencyViolation", ec2.delete_security_group, GroupId=web)
ec2.delete_security_group(GroupId=back)
ec2.delete_security_group(GroupId=web)
refused("InvalidGroup.NotFound", ec2.delete_security_group, GroupId=web)
default = ids(vpc_id=vpc, group_name="default")[0]
refused("CannotDelete", ec2.delete_security_group, GroupId=default)
refused("MissingParameter", ec2.delete_security_group)

"""Clients of the door under test, and how a call is refused."""

import json
import os
import time

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

OUTPOST = os.environ["OUTPOST_ARN"]
ACCOUNT = OUTPOST.split(":")[4]
CONFIG = Config(retries={"total_max_attempts": 1}, parameter_validation=False)

ec2 = boto3.client("ec2", config=CONFIG)
eks = boto3.client("eks", config=CONFIG)
iam = boto3.client("iam", config=CONFIG)
outposts = boto3.client("outposts", config=CONFIG)


def stranger(service):
    """A client of another account."""
    return boto3.client(
        service,
        config=CONFIG,
        aws_access_key_id=os.environ["OTHER_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["OTHER_SECRET_ACCESS_KEY"],
    )


def refused(code, call, *args, **kwargs):
    """The call fails with that code; answers the whole response."""
    try:
        answer = call(*args, **kwargs)
    except ClientError as error:
        seen = error.response["Error"]["Code"]
        assert seen == code, f"{call.__name__} {kwargs}: {seen} instead of {code}: {error}"
        return error.response
    raise AssertionError(f"{call.__name__} {kwargs} was not refused with {code}: {answer}")


def raw(service, method, path, body):
    """A request with members that this machine's client does not know; answers status and JSON."""
    session = boto3.Session()
    url = os.environ["AWS_ENDPOINT_URL"] + path
    request = AWSRequest(method=method, url=url, data=json.dumps(body), headers={"Content-Type": "application/json"})
    SigV4Auth(session.get_credentials(), service, session.region_name).add_auth(request)
    answer = URLLib3Session().send(request.prepare())
    return answer.status_code, answer.headers, json.loads(answer.text)


def until(what, condition, seconds=20):
    """Waits for a condition; answers its first true value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"in vain: {what}")


def tags(kind, **pairs):
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()]}]


def named(**filters):
    return [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]


def outpost_vpc(block="10.0.0.0/16", way_out=True):
    """A VPC with a subnet on the Outpost, whose way out is a NAT gateway in the parent Zone."""
    vpc = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    zone = "us-west-2a"
    stem = block.rsplit(".", 2)[0]
    public = ec2.create_subnet(VpcId=vpc, CidrBlock=f"{stem}.0.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
    private = ec2.create_subnet(VpcId=vpc, CidrBlock=f"{stem}.1.0/24", AvailabilityZone=zone, OutpostArn=OUTPOST)
    private = private["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=public)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]["NatGatewayId"]
    inner = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=inner, SubnetId=private)
    if way_out:
        ec2.create_route(RouteTableId=inner, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    return {"vpc": vpc, "public": public, "private": private, "nat": nat, "table": inner}


def role(name, service, *policies):
    trust = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"%s"},"Action":"sts:AssumeRole"}]}'
        % service
    )
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    return arn

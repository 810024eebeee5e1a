# The user guide's own steps, with the aws command line.
set -eu
text() { aws "$@" --output text; }

vpc=$(text ec2 create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId)
aws ec2 modify-vpc-attribute --vpc-id "$vpc" --enable-dns-hostnames
zone=$(text outposts list-outposts --query 'Outposts[0].AvailabilityZone')
arn=$(text outposts list-outposts --query 'Outposts[0].OutpostArn')
test "$arn" = "$OUTPOST_ARN"
text outposts get-outpost --outpost-id "$arn" --query Outpost.LifeCycleStatus | grep -qx ACTIVE
text outposts get-outpost-instance-types --outpost-id "$arn" --query 'InstanceTypes[].InstanceType' | grep -qw m5.large
public=$(text ec2 create-subnet --vpc-id "$vpc" --cidr-block 10.0.0.0/24 --availability-zone "$zone" --query Subnet.SubnetId)
private=$(text ec2 create-subnet --vpc-id "$vpc" --cidr-block 10.0.1.0/24 --availability-zone "$zone" \
    --outpost-arn "$arn" --query Subnet.SubnetId)
gateway=$(text ec2 create-internet-gateway --query InternetGateway.InternetGatewayId)
aws ec2 attach-internet-gateway --internet-gateway-id "$gateway" --vpc-id "$vpc"
outer=$(text ec2 create-route-table --vpc-id "$vpc" --query RouteTable.RouteTableId)
aws ec2 create-route --route-table-id "$outer" --destination-cidr-block 0.0.0.0/0 --gateway-id "$gateway" > /dev/null
aws ec2 associate-route-table --route-table-id "$outer" --subnet-id "$public" > /dev/null
address=$(text ec2 allocate-address --domain vpc --query AllocationId)
nat=$(text ec2 create-nat-gateway --subnet-id "$public" --allocation-id "$address" --query NatGateway.NatGatewayId)
aws ec2 wait nat-gateway-available --nat-gateway-ids "$nat"
inner=$(text ec2 create-route-table --vpc-id "$vpc" --query RouteTable.RouteTableId)
aws ec2 create-route --route-table-id "$inner" --destination-cidr-block 0.0.0.0/0 --nat-gateway-id "$nat" > /dev/null
aws ec2 associate-route-table --route-table-id "$inner" --subnet-id "$private" > /dev/null

trust='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
role=$(text iam create-role --role-name myAmazonEKSLocalClusterRole --assume-role-policy-document "$trust" --query Role.Arn)
aws iam attach-role-policy --role-name myAmazonEKSLocalClusterRole \
    --policy-arn arn:aws:iam::aws:policy/AmazonEKSLocalOutpostClusterPolicy
aws eks create-cluster --name my-cluster --role-arn "$role" \
    --resources-vpc-config "subnetIds=$private,endpointPrivateAccess=true,endpointPublicAccess=false" \
    --outpost-config "outpostArns=$arn,controlPlaneInstanceType=m5.large" > /dev/null
aws eks wait cluster-active --name my-cluster
text eks describe-cluster --name my-cluster --query cluster.endpoint | grep -qx https://127.0.0.1:6443
aws ec2 describe-instances --query 'Reservations[*].Instances[*].{Name:Tags[?Key==`Name`]|[0].Value}' \
    | grep -c my-cluster-control-plane | grep -qx 3
group=$(text eks describe-cluster --name my-cluster --query cluster.resourcesVpcConfig.clusterSecurityGroupId)
aws ec2 authorize-security-group-ingress --group-id "$group" --protocol tcp --port 443 --cidr 172.16.0.0/12 > /dev/null
image=$(text ec2 describe-images --owners amazon --filters 'Name=name,Values=amazon-eks-node-*-1.33-*' \
    --query 'sort_by(Images,&CreationDate)[-1].ImageId')
instance=$(text ec2 run-instances --image-id "$image" --instance-type m5.large --subnet-id "$private" \
    --security-group-ids "$group" --secondary-private-ip-address-count 9 --user-data '#!/bin/sh' \
    --query 'Instances[0].InstanceId')
aws ec2 wait instance-running --instance-ids "$instance"
aws ec2 terminate-instances --instance-ids "$instance" > /dev/null
aws ec2 wait instance-terminated --instance-ids "$instance"
said=$(aws ec2 describe-network-acls 2>&1) && exit 1
echo "$said" | grep -q NotImplemented
aws eks delete-cluster --name my-cluster --query cluster.status | grep -q DELETING
aws eks wait cluster-deleted --name my-cluster

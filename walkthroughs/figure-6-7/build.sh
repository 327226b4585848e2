#!/bin/sh
# Figure 6-7 by aws-cli: three web instances with public addresses, a private database, an internet
# gateway, a NAT gateway and two route tables. Prints NAME=ID lines.
#
#   eval "$(skylab env)"; walkthroughs/figure-6-7/build.sh
set -eu
export AWS_PAGER=

ec2() { aws ec2 "$@" --output text; }
quietly() { "$@" >/dev/null; }
named() { echo "ResourceType=$1,Tags=[{Key=Name,Value=$2}]"; }

vpc=$(ec2 create-vpc --cidr-block 10.0.0.0/16 --tag-specifications "$(named vpc chapter)" --query Vpc.VpcId)
ec2 modify-vpc-attribute --vpc-id "$vpc" --enable-dns-hostnames
public=$(ec2 create-subnet --vpc-id "$vpc" --cidr-block 10.0.1.0/24 \
    --tag-specifications "$(named subnet public)" --query Subnet.SubnetId)
private=$(ec2 create-subnet --vpc-id "$vpc" --cidr-block 10.0.2.0/24 \
    --tag-specifications "$(named subnet private)" --query Subnet.SubnetId)

# The way out of the public subnet.
igw=$(ec2 create-internet-gateway --query InternetGateway.InternetGatewayId)
ec2 attach-internet-gateway --internet-gateway-id "$igw" --vpc-id "$vpc"
to_internet=$(ec2 create-route-table --vpc-id "$vpc" --query RouteTable.RouteTableId)
quietly ec2 create-route --route-table-id "$to_internet" --destination-cidr-block 0.0.0.0/0 --gateway-id "$igw"
quietly ec2 associate-route-table --route-table-id "$to_internet" --subnet-id "$public"

# The way out of the private one, which keeps the main route table.
nat_allocation=$(ec2 allocate-address --query AllocationId)
nat=$(ec2 create-nat-gateway --subnet-id "$public" --allocation-id "$nat_allocation" \
    --query NatGateway.NatGatewayId)
aws ec2 wait nat-gateway-available --nat-gateway-ids "$nat"
nat_address=$(ec2 describe-nat-gateways --nat-gateway-ids "$nat" \
    --query 'NatGateways[0].NatGatewayAddresses[0].PublicIp')
main=$(ec2 describe-route-tables --query 'RouteTables[0].RouteTableId' \
    --filters "Name=vpc-id,Values=$vpc" Name=association.main,Values=true)
quietly ec2 create-route --route-table-id "$main" --destination-cidr-block 0.0.0.0/0 --nat-gateway-id "$nat"

# The web for everybody, the database for the web.
web=$(ec2 create-security-group --group-name web --description "the web, from everywhere" \
    --vpc-id "$vpc" --query GroupId)
quietly ec2 authorize-security-group-ingress --group-id "$web" --protocol tcp --port 80 --cidr 0.0.0.0/0
db=$(ec2 create-security-group --group-name db --description "the database, from the web" \
    --vpc-id "$vpc" --query GroupId)
quietly ec2 authorize-security-group-ingress --group-id "$db" --protocol tcp --port 5432 --source-group "$web"

image=$(ec2 describe-images --owners amazon --query 'Images[0].ImageId' \
    --filters 'Name=name,Values=al2023-ami-2023*-x86_64')
launch() { # NAME GROUP SUBNET ADDRESS
    ec2 run-instances --image-id "$image" --instance-type t3.micro --subnet-id "$3" \
        --security-group-ids "$2" --private-ip-address "$4" \
        --tag-specifications "$(named instance "$1")" --query 'Instances[0].InstanceId'
}
web1=$(launch web-1 "$web" "$public" 10.0.1.11)
web2=$(launch web-2 "$web" "$public" 10.0.1.12)
web3=$(launch web-3 "$web" "$public" 10.0.1.13)
database=$(launch db "$db" "$private" 10.0.2.21)
aws ec2 wait instance-running --instance-ids "$web1" "$web2" "$web3" "$database"
for instance in "$web1" "$web2" "$web3"; do
    allocation=$(ec2 allocate-address --query AllocationId)
    quietly ec2 associate-address --allocation-id "$allocation" --instance-id "$instance"
done
web1_address=$(ec2 describe-instances --instance-ids "$web1" \
    --query 'Reservations[0].Instances[0].PublicIpAddress')

for name in vpc public private main nat nat_address web1 web1_address web2 web3 database; do
    eval "echo $name=\$$name"
done

#!/bin/sh
# Figure 6-7 by aws-cli: three web instances with public addresses, a private database, an internet
# gateway, a NAT gateway and two route tables. Prints NAME=ID lines.
#
#   eval "$(skylab env)"; walkthroughs/figure-6-7/build.sh
set -eu
export AWS_PAGER=

ec2() { aws ec2 "$@" --output text; }
named() { echo "ResourceType=$1,Tags=[{Key=Name,Value=$2}]"; }

vpc=$(ec2 create-vpc --cidr-block 10.0.0.0/16 --tag-specifications "$(named vpc chapter)" --query Vpc.VpcId)
ec2 modify-vpc-attribute --vpc-id "$vpc" --enable-dns-hostnames
public=$(ec2 create-subnet --vpc-id "$vpc" --cidr-block 10.0.1.0/24 \
    --tag-specifications "$(named subnet public)" --query Subnet.SubnetId)
private=$(ec2 create-subnet --vpc-id "$vpc" --cidr-block 10.0.2.0/24 \
    --tag-specifications "$(named subnet private)" --query Subnet.SubnetId)

igw=$(ec2 create-internet-gateway --query InternetGateway.InternetGatewayId)
ec2 attach-internet-gateway --internet-gateway-id "$igw" --vpc-id "$vpc"
to_internet=$(ec2 create-route-table --vpc-id "$vpc" --query RouteTable.RouteTableId)
ec2 create-route --route-table-id "$to_internet" --destination-cidr-block 0.0.0.0/0 \
    --gateway-id "$igw" >&2
ec2 associate-route-table --route-table-id "$to_internet" --subnet-id "$public" >&2

nat_eip=$(ec2 allocate-address --query AllocationId)
nat=$(ec2 create-nat-gateway --subnet-id "$public" --allocation-id "$nat_eip" --query NatGateway.NatGatewayId)
aws ec2 wait nat-gateway-available --nat-gateway-ids "$nat"
main=$(ec2 describe-route-tables --query 'RouteTables[0].RouteTableId' \
    --filters "Name=vpc-id,Values=$vpc" Name=association.main,Values=true)
ec2 create-route --route-table-id "$main" --destination-cidr-block 0.0.0.0/0 \
    --nat-gateway-id "$nat" >&2

web=$(ec2 create-security-group --group-name web --description "web from everywhere" --vpc-id "$vpc" --query GroupId)
ec2 authorize-security-group-ingress --group-id "$web" --protocol tcp --port 80 --cidr 0.0.0.0/0 >&2
ec2 authorize-security-group-ingress --group-id "$web" --protocol icmp --port -1 --cidr 0.0.0.0/0 >&2
db=$(ec2 create-security-group --group-name db --description "the database, from the web" --vpc-id "$vpc" --query GroupId)
ec2 authorize-security-group-ingress --group-id "$db" --protocol tcp --port 5432 --source-group "$web" >&2

image=$(ec2 describe-images --owners amazon --query 'Images[0].ImageId' --filters 'Name=name,Values=al2023-ami-2023*-x86_64')
launch() { # NAME GROUP SUBNET [OPTION…]
    name=$1 group=$2 subnet=$3
    shift 3
    ec2 run-instances --image-id "$image" --instance-type t3.micro --subnet-id "$subnet" \
        --security-group-ids "$group" --tag-specifications "$(named instance "$name")" \
        --query 'Instances[0].InstanceId' "$@"
}
web1=$(launch web-1 "$web" "$public" --private-ip-address 10.0.1.11)
web2=$(launch web-2 "$web" "$public" --private-ip-address 10.0.1.12)
web3=$(launch web-3 "$web" "$public" --private-ip-address 10.0.1.13)
database=$(launch db "$db" "$private" --private-ip-address 10.0.2.21)
aws ec2 wait instance-running --instance-ids "$web1" "$web2" "$web3" "$database"
for instance in "$web1" "$web2" "$web3"; do
    eip=$(ec2 allocate-address --query AllocationId)
    ec2 associate-address --allocation-id "$eip" --instance-id "$instance" >&2
done

for name in vpc public private igw to_internet main nat nat_eip web db web1 web2 web3 database; do
    eval "echo $name=\$$name"
done

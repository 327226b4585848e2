#!/bin/sh
# By aws-cli: a private instance without a way out, behind a network load balancer with an Elastic IP
# and behind a classic load balancer. Prints NAME=VALUE lines. Something must listen at the instance's
# port 8080 for its health checks to pass.
#
#   eval "$(skylab env)"; walkthroughs/network-load-balancer/build.sh
set -eu
export AWS_PAGER=

q() { aws "$@" --output text; }
quietly() { "$@" >/dev/null; }

vpc=$(q ec2 create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId)
zone=$(q ec2 describe-availability-zones --query 'AvailabilityZones[0].ZoneName')
subnet() { q ec2 create-subnet --vpc-id "$vpc" --cidr-block "$1" --availability-zone "$zone" --query Subnet.SubnetId; }
public=$(subnet 10.0.1.0/24)
private=$(subnet 10.0.2.0/24)
igw=$(q ec2 create-internet-gateway --query InternetGateway.InternetGatewayId)
q ec2 attach-internet-gateway --internet-gateway-id "$igw" --vpc-id "$vpc"
routes=$(q ec2 create-route-table --vpc-id "$vpc" --query RouteTable.RouteTableId)
quietly q ec2 create-route --route-table-id "$routes" --destination-cidr-block 0.0.0.0/0 --gateway-id "$igw"
quietly q ec2 associate-route-table --route-table-id "$routes" --subnet-id "$public"

group() { # NAME PORT
    id=$(q ec2 create-security-group --group-name "$1" --description "$1" --vpc-id "$vpc" --query GroupId)
    quietly q ec2 authorize-security-group-ingress --group-id "$id" --protocol tcp --port "$2" --cidr 0.0.0.0/0
    echo "$id"
}
back=$(group back 8080)
front=$(group front 80)
image=$(q ec2 describe-images --owners amazon --query 'Images[0].ImageId' --filters 'Name=name,Values=al2023-ami-2023*-x86_64')
instance=$(q ec2 run-instances --image-id "$image" --instance-type t3.micro --subnet-id "$private" \
    --security-group-ids "$back" --query 'Instances[0].InstanceId')
aws ec2 wait instance-running --instance-ids "$instance"

allocation=$(q ec2 allocate-address --query AllocationId)
address=$(q ec2 describe-addresses --allocation-ids "$allocation" --query 'Addresses[0].PublicIp')
balancer=$(q elbv2 create-load-balancer --name raw --type network \
    --subnet-mappings "SubnetId=$public,AllocationId=$allocation" --query 'LoadBalancers[0].LoadBalancerArn')
targets=$(q elbv2 create-target-group --name raw --protocol TCP --port 8080 --vpc-id "$vpc" \
    --health-check-interval-seconds 10 --query 'TargetGroups[0].TargetGroupArn')
q elbv2 register-targets --target-group-arn "$targets" --targets "Id=$instance"
quietly q elbv2 create-listener --load-balancer-arn "$balancer" --protocol TCP --port 80 \
    --default-actions "Type=forward,TargetGroupArn=$targets"
node=$(q ec2 describe-network-interfaces --filters "Name=description,Values=ELB net/raw/*" \
    --query 'NetworkInterfaces[0].PrivateIpAddress')

classic=$(q elb create-load-balancer --load-balancer-name old --subnets "$public" --security-groups "$front" \
    --listeners Protocol=TCP,LoadBalancerPort=80,InstanceProtocol=TCP,InstancePort=8080)
quietly q elb configure-health-check --load-balancer-name old \
    --health-check Target=TCP:8080,Interval=10,Timeout=5,UnhealthyThreshold=2,HealthyThreshold=2
quietly q elb register-instances-with-load-balancer --load-balancer-name old --instances "$instance"

for name in vpc instance address node balancer targets classic; do
    eval "echo $name=\$$name"
done

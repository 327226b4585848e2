#!/usr/bin/env python3
"""Figure 6-7 by boto3: three web instances with public addresses, a private database, an internet
gateway, a NAT gateway and two route tables. Prints NAME=ID lines.

    eval "$(skylab env)"; walkthroughs/figure-6-7/build.py
"""

import boto3

ec2 = boto3.resource("ec2")
client = ec2.meta.client


def named(kind, name):
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]


def allow(port, **peer):
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}]


vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=named("vpc", "chapter"))
vpc.wait_until_available()
vpc.modify_attribute(EnableDnsHostnames={"Value": True})
public = vpc.create_subnet(CidrBlock="10.0.1.0/24", TagSpecifications=named("subnet", "public"))
private = vpc.create_subnet(CidrBlock="10.0.2.0/24", TagSpecifications=named("subnet", "private"))

# The way out of the public subnet.
gateway = ec2.create_internet_gateway()
gateway.attach_to_vpc(VpcId=vpc.id)
to_internet = vpc.create_route_table()
to_internet.create_route(DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway.id)
to_internet.associate_with_subnet(SubnetId=public.id)

# The way out of the private one, which keeps the main route table.
nat_address = ec2.VpcAddress(client.allocate_address(Domain="vpc")["AllocationId"])
nat = client.create_nat_gateway(SubnetId=public.id, AllocationId=nat_address.allocation_id)
nat = nat["NatGateway"]["NatGatewayId"]
client.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat])
main = next(table for table in vpc.route_tables.all() if any(a.main for a in table.associations))
main.create_route(DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)

# The web for everybody, the database for the web.
web_group = vpc.create_security_group(GroupName="web", Description="the web, from everywhere")
web_group.authorize_ingress(IpPermissions=allow(80, IpRanges=[{"CidrIp": "0.0.0.0/0"}]))
db_group = vpc.create_security_group(GroupName="db", Description="the database, from the web")
db_group.authorize_ingress(IpPermissions=allow(5432, UserIdGroupPairs=[{"GroupId": web_group.id}]))

images = client.describe_images(
    Owners=["amazon"], Filters=[{"Name": "name", "Values": ["al2023-ami-2023*-x86_64"]}]
)
image = images["Images"][0]["ImageId"]


def launch(name, group, subnet, address):
    (instance,) = subnet.create_instances(
        ImageId=image,
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        SecurityGroupIds=[group.id],
        PrivateIpAddress=address,
        TagSpecifications=named("instance", name),
    )
    return instance


webs = [launch(f"web-{n}", web_group, public, f"10.0.1.1{n}") for n in (1, 2, 3)]
database = launch("db", db_group, private, "10.0.2.21")
for instance in [*webs, database]:
    instance.wait_until_running()
for instance in webs:
    allocation = client.allocate_address(Domain="vpc")["AllocationId"]
    client.associate_address(AllocationId=allocation, InstanceId=instance.id)
webs[0].reload()

print(f"vpc={vpc.id}")
print(f"public={public.id}")
print(f"private={private.id}")
print(f"main={main.id}")
print(f"nat={nat}")
print(f"nat_address={nat_address.public_ip}")
for number, web in enumerate(webs, 1):
    print(f"web{number}={web.id}")
print(f"web1_address={webs[0].public_ip_address}")
print(f"database={database.id}")

//! The chapter's figure 6-7, built by the EC2 API and taken down again: three web instances with
//! public addresses, a private database, an internet gateway, a NAT gateway and two route tables.

use super::stage::Stage;
use crate::failure::Failure;
use lab::client::{Client, ClientError, Document};
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

/// The web's port.
pub(super) const HTTP: u16 = 80;
/// The database's.
pub(super) const POSTGRES: u16 = 5432;
const STEP: Duration = Duration::from_millis(50);
/// How many steps a cloud's waiting may take.
const PATIENCE: u32 = 1200;

type Made<T> = Result<T, Failure>;

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(1, error)
    }
}

/// What was built, by id.
pub(super) struct Figure {
    pub(super) vpc: String,
    pub(super) public: String,
    pub(super) private: String,
    pub(super) internet_gateway: String,
    pub(super) to_internet: String,
    pub(super) main: String,
    pub(super) nat: Nat,
    pub(super) web_group: String,
    pub(super) database_group: String,
    pub(super) webs: Vec<Web>,
    pub(super) database: String,
}

/// The NAT gateway.
pub(super) struct Nat {
    pub(super) id: String,
    pub(super) allocation: String,
    pub(super) public_ip: Ipv4Addr,
}

/// A web instance.
pub(super) struct Web {
    pub(super) name: String,
    pub(super) instance: String,
    pub(super) allocation: String,
    pub(super) public_ip: Ipv4Addr,
}

/// The database's address.
pub(super) const DATABASE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 21);

fn address(text: &str) -> Made<Ipv4Addr> {
    text.parse()
        .map_err(|_| Failure::new(1, format!("{text} is not an address")))
}

/// Asks until something is so.
fn until(what: &str, mut so: impl FnMut() -> Result<bool, ClientError>) -> Made<()> {
    for _ in 0..PATIENCE {
        if so()? {
            return Ok(());
        }
        thread::sleep(STEP);
    }
    Err(Failure::new(1, format!("{what} takes too long")))
}

impl Figure {
    /// Builds it, saying each resource.
    pub(super) fn build(stage: &Stage) -> Made<Self> {
        let ec2 = &stage.client;
        let vpc = ec2
            .ec2("CreateVpc", &[("CidrBlock", "10.0.0.0/16")])?
            .one("vpcId")?;
        ec2.ec2(
            "ModifyVpcAttribute",
            &[("VpcId", &vpc), ("EnableDnsHostnames.Value", "true")],
        )?;
        stage.line("VPC", &format!("{vpc}  10.0.0.0/16"));
        let public = subnet(stage, &vpc, "public", "10.0.1.0/24")?;
        let private = subnet(stage, &vpc, "private", "10.0.2.0/24")?;

        let internet_gateway = ec2
            .ec2("CreateInternetGateway", &[])?
            .one("internetGatewayId")?;
        let attachment = [
            ("InternetGatewayId", internet_gateway.as_str()),
            ("VpcId", &vpc),
        ];
        ec2.ec2("AttachInternetGateway", &attachment)?;
        stage.line("internet gateway", &internet_gateway);

        let (web_group, database_group) = groups(stage, &vpc)?;
        let webs = webs(stage, &public, &web_group)?;
        let database = launch(ec2, "db", &private, &database_group, &DATABASE.to_string())?;
        stage.line("instance db", &format!("{database}  {DATABASE}"));

        let elastic = ec2.ec2("AllocateAddress", &[("Domain", "vpc")])?;
        let nat = nat_gateway(
            stage,
            &public,
            elastic.one("allocationId")?,
            address(&elastic.one("publicIp")?)?,
        )?;

        let of_vpc = [
            ("Filter.1.Name", "vpc-id"),
            ("Filter.1.Value.1", vpc.as_str()),
            ("Filter.2.Name", "association.main"),
            ("Filter.2.Value.1", "true"),
        ];
        let main = ec2
            .ec2("DescribeRouteTables", &of_vpc)?
            .one("routeTableId")?;
        let to_nat = [
            ("RouteTableId", main.as_str()),
            ("DestinationCidrBlock", "0.0.0.0/0"),
            ("NatGatewayId", &nat.id),
        ];
        ec2.ec2("CreateRoute", &to_nat)?;
        stage.line(
            "main route table",
            &format!("{main}  0.0.0.0/0 → {}", nat.id),
        );
        let to_internet = ec2
            .ec2("CreateRouteTable", &[("VpcId", &vpc)])?
            .one("routeTableId")?;
        let route = [
            ("RouteTableId", to_internet.as_str()),
            ("DestinationCidrBlock", "0.0.0.0/0"),
            ("GatewayId", &internet_gateway),
        ];
        ec2.ec2("CreateRoute", &route)?;
        ec2.ec2(
            "AssociateRouteTable",
            &[("RouteTableId", &to_internet), ("SubnetId", &public)],
        )?;
        stage.line(
            "public route table",
            &format!("{to_internet}  0.0.0.0/0 → {internet_gateway}, for the public subnet"),
        );

        for instance in webs.iter().map(|web| &web.instance).chain([&database]) {
            wait_for(
                ec2,
                "DescribeInstances",
                "InstanceId.1",
                instance,
                "running",
            )?;
        }
        Ok(Self {
            vpc,
            public,
            private,
            internet_gateway,
            to_internet,
            main,
            nat,
            web_group,
            database_group,
            webs,
            database,
        })
    }

    /// Takes everything down, in the order that EC2's dependencies ask for.
    pub(super) fn remove(self, ec2: &Client) -> Made<()> {
        ec2.ec2("DeleteNatGateway", &[("NatGatewayId", &self.nat.id)])?;
        let instances = self
            .webs
            .iter()
            .map(|web| &web.instance)
            .chain([&self.database]);
        let instances: Vec<&String> = instances.collect();
        for instance in &instances {
            ec2.ec2("TerminateInstances", &[("InstanceId.1", instance.as_str())])?;
        }
        for instance in instances {
            wait_for(
                ec2,
                "DescribeInstances",
                "InstanceId.1",
                instance,
                "terminated",
            )?;
        }
        wait_for_nat(ec2, &self.nat.id, "deleted")?;
        for allocation in self
            .webs
            .iter()
            .map(|web| &web.allocation)
            .chain([&self.nat.allocation])
        {
            ec2.ec2("ReleaseAddress", &[("AllocationId", allocation)])?;
        }
        let attachment = [
            ("InternetGatewayId", self.internet_gateway.as_str()),
            ("VpcId", &self.vpc),
        ];
        ec2.ec2("DetachInternetGateway", &attachment)?;
        ec2.ec2(
            "DeleteInternetGateway",
            &[("InternetGatewayId", &self.internet_gateway)],
        )?;
        for subnet in [&self.public, &self.private] {
            ec2.ec2("DeleteSubnet", &[("SubnetId", subnet)])?;
        }
        ec2.ec2("DeleteRouteTable", &[("RouteTableId", &self.to_internet)])?;
        // The database's group refers to the web's, which therefore goes last.
        for group in [&self.database_group, &self.web_group] {
            ec2.ec2("DeleteSecurityGroup", &[("GroupId", group)])?;
        }
        ec2.ec2("DeleteVpc", &[("VpcId", &self.vpc)])?;
        Ok(())
    }
}

fn subnet(stage: &Stage, vpc: &str, name: &str, cidr: &str) -> Made<String> {
    let parameters = [
        ("VpcId", vpc),
        ("CidrBlock", cidr),
        ("TagSpecification.1.ResourceType", "subnet"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", name),
    ];
    let made = stage.client.ec2("CreateSubnet", &parameters)?;
    let id = made.one("subnetId")?;
    stage.line(
        &format!("subnet {name}"),
        &format!("{id}  {cidr}  {}", made.one("availabilityZone")?),
    );
    Ok(id)
}

/// The web is open to all on its port; the database to the web only.
fn groups(stage: &Stage, vpc: &str) -> Made<(String, String)> {
    let make = |name: &str, description: &str| -> Made<String> {
        let parameters = [
            ("GroupName", name),
            ("GroupDescription", description),
            ("VpcId", vpc),
        ];
        Ok(stage
            .client
            .ec2("CreateSecurityGroup", &parameters)?
            .one("groupId")?)
    };
    let web = make("web", "the web, from everywhere")?;
    let database = make("db", "the database, from the web")?;
    let allow = |group: &str, port: u16, peer: (&str, &str)| {
        let port = port.to_string();
        let parameters = [
            ("GroupId", group),
            ("IpPermissions.1.IpProtocol", "tcp"),
            ("IpPermissions.1.FromPort", &port),
            ("IpPermissions.1.ToPort", &port),
            peer,
        ];
        stage
            .client
            .ec2("AuthorizeSecurityGroupIngress", &parameters)
    };
    allow(
        &web,
        HTTP,
        ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
    )?;
    allow(
        &database,
        POSTGRES,
        ("IpPermissions.1.Groups.1.GroupId", &web),
    )?;
    stage.line(
        "security group",
        &format!("{web}  web: tcp {HTTP} from 0.0.0.0/0"),
    );
    stage.line(
        "security group",
        &format!("{database}  db: tcp {POSTGRES} from {web}"),
    );
    Ok((web, database))
}

fn webs(stage: &Stage, subnet: &str, group: &str) -> Made<Vec<Web>> {
    let ec2 = &stage.client;
    let mut webs = Vec::new();
    for number in 1..=3 {
        let (name, private_ip) = (format!("web-{number}"), format!("10.0.1.1{number}"));
        let instance = launch(ec2, &name, subnet, group, &private_ip)?;
        let elastic = ec2.ec2("AllocateAddress", &[("Domain", "vpc")])?;
        let (allocation, public_ip) = (
            elastic.one("allocationId")?,
            address(&elastic.one("publicIp")?)?,
        );
        wait_for(
            ec2,
            "DescribeInstances",
            "InstanceId.1",
            &instance,
            "running",
        )?;
        associate(ec2, &allocation, &instance)?;
        stage.line(
            &format!("instance {name}"),
            &format!("{instance}  {private_ip}  {public_ip}"),
        );
        webs.push(Web {
            name,
            instance,
            allocation,
            public_ip,
        });
    }
    Ok(webs)
}

/// Gives an instance an Elastic IP, whoever has it now.
pub(super) fn associate(
    ec2: &Client,
    allocation: &str,
    instance: &str,
) -> Result<Document, ClientError> {
    let parameters = [
        ("AllocationId", allocation),
        ("InstanceId", instance),
        ("AllowReassociation", "true"),
    ];
    ec2.ec2("AssociateAddress", &parameters)
}

fn launch(ec2: &Client, name: &str, subnet: &str, group: &str, ip: &str) -> Made<String> {
    let newest = [
        ("Owner.1", "amazon"),
        ("Filter.1.Name", "name"),
        ("Filter.1.Value.1", "al2023-ami-2023*-x86_64"),
    ];
    let image = ec2.ec2("DescribeImages", &newest)?.one("imageId")?;
    let parameters = [
        ("ImageId", image.as_str()),
        ("InstanceType", "t3.micro"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", subnet),
        ("SecurityGroupId.1", group),
        ("PrivateIpAddress", ip),
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", name),
    ];
    Ok(ec2.ec2("RunInstances", &parameters)?.one("instanceId")?)
}

/// Makes a NAT gateway with an Elastic IP and waits until it is available.
pub(super) fn nat_gateway(
    stage: &Stage,
    subnet: &str,
    allocation: String,
    public_ip: Ipv4Addr,
) -> Made<Nat> {
    let parameters = [("SubnetId", subnet), ("AllocationId", &allocation)];
    let id = stage
        .client
        .ec2("CreateNatGateway", &parameters)?
        .one("natGatewayId")?;
    wait_for_nat(&stage.client, &id, "available")?;
    stage.line("NAT gateway", &format!("{id}  {public_ip}"));
    Ok(Nat {
        id,
        allocation,
        public_ip,
    })
}

/// Waits for a NAT gateway's state.
pub(super) fn wait_for_nat(ec2: &Client, id: &str, state: &str) -> Made<()> {
    until(id, || {
        Ok(ec2
            .ec2("DescribeNatGateways", &[("NatGatewayId.1", id)])?
            .one("state")?
            == state)
    })
}

fn wait_for(ec2: &Client, operation: &str, parameter: &str, id: &str, state: &str) -> Made<()> {
    until(id, || {
        Ok(ec2
            .ec2(operation, &[(parameter, id)])?
            .all("name")
            .iter()
            .any(|name| name == state))
    })
}

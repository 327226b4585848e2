//! Random sequences of operations: whatever is asked in whatever order, the account stays sound, what is
//! compiled step by step is what would be compiled from nothing, and what the store keeps is the account.

use crate::account::Account;
use aws::compile::{self, Outside};
use aws::model::State;
use aws::model::route_table::AssociatedWith;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What a step does, with numbers that pick among what is there.
type Step = (u8, u8, u8, u8);

/// Carries out a step; whether AWS refuses it is AWS's business.
fn step(account: &mut Account, (action, a, b, c): Step) {
    let pick = |ids: Vec<String>, which: u8, absent: &str| match ids.len() {
        0 => absent.to_owned(),
        len => ids[usize::from(which) % len].clone(),
    };
    let state = &account.state;
    let here = |region: &str| region == account.region;
    macro_rules! ids {
        ($table:ident) => {
            state
                .$table
                .values()
                .filter(|item| here(&item.region))
                .map(|item| item.id.to_string())
                .collect::<Vec<_>>()
        };
    }
    let vpc = pick(ids!(vpcs), a, "vpc-0123456789abcdef0");
    let subnet = pick(ids!(subnets), b, "subnet-0123456789abcdef0");
    let interface = pick(ids!(network_interfaces), b, "eni-0123456789abcdef0");
    let instance = pick(ids!(instances), a, "i-0123456789abcdef0");
    let group = pick(ids!(security_groups), b, "sg-0123456789abcdef0");
    let table = pick(ids!(route_tables), c, "rtb-0123456789abcdef0");
    let gateway = pick(ids!(internet_gateways), c, "igw-0123456789abcdef0");
    let acl = pick(ids!(network_acls), c, "acl-0123456789abcdef0");
    let allocation = pick(ids!(elastic_ips), a, "eipalloc-0123456789abcdef0");
    let nat = pick(ids!(nat_gateways), a, "nat-0123456789abcdef0");
    let acl_associations = state
        .network_acls
        .values()
        .flat_map(|acl| &acl.associations);
    let acl_association = pick(
        acl_associations.map(|of| of.id.to_string()).collect(),
        b,
        "aclassoc-0123456789abcdef0",
    );
    let attachments = state
        .network_interfaces
        .values()
        .filter_map(|interface| interface.attachment.as_ref());
    let attachment = pick(
        attachments
            .map(|attachment| attachment.id.to_string())
            .collect(),
        b,
        "eni-attach-0123456789abcdef0",
    );
    let (cidr, range) = (
        format!("10.{}.0.0/16", a % 8),
        format!("10.{}.{b}.0/24", a % 8),
    );
    let number = u16::from(c).to_string();
    let index = (c % 4).to_string();
    let egress = if c % 2 == 0 { "true" } else { "false" };
    let calls: [(&str, Vec<(&str, &str)>); 28] = [
        ("CreateVpc", vec![("CidrBlock", &cidr)]),
        ("CreateSubnet", vec![("VpcId", &vpc), ("CidrBlock", &range)]),
        ("CreateSubnet", vec![("VpcId", &vpc), ("CidrBlock", &range)]),
        ("CreateNetworkInterface", vec![("SubnetId", &subnet)]),
        (
            "CreateNetworkInterface",
            vec![
                ("SubnetId", &subnet),
                ("SecondaryPrivateIpAddressCount", &index),
                ("Ipv4PrefixCount", "1"),
            ],
        ),
        (
            "RunInstances",
            vec![
                ("ImageId", IMAGE),
                ("InstanceType", "m5.large"),
                ("MinCount", "1"),
                ("MaxCount", "1"),
                ("SubnetId", &subnet),
            ],
        ),
        ("StopInstances", vec![("InstanceId.1", &instance)]),
        ("StartInstances", vec![("InstanceId.1", &instance)]),
        ("TerminateInstances", vec![("InstanceId.1", &instance)]),
        (
            "AttachNetworkInterface",
            vec![
                ("NetworkInterfaceId", &interface),
                ("InstanceId", &instance),
                ("DeviceIndex", &index),
            ],
        ),
        (
            "DetachNetworkInterface",
            vec![("AttachmentId", &attachment)],
        ),
        (
            "DeleteNetworkInterface",
            vec![("NetworkInterfaceId", &interface)],
        ),
        ("AllocateAddress", vec![]),
        (
            "AssociateAddress",
            vec![
                ("AllocationId", &allocation),
                ("NetworkInterfaceId", &interface),
            ],
        ),
        ("ReleaseAddress", vec![("AllocationId", &allocation)]),
        (
            "CreateSecurityGroup",
            vec![
                ("GroupName", &number),
                ("GroupDescription", "x"),
                ("VpcId", &vpc),
            ],
        ),
        (
            "AuthorizeSecurityGroupIngress",
            vec![
                ("GroupId", &group),
                ("IpProtocol", "tcp"),
                ("FromPort", &number),
                ("ToPort", &number),
                ("CidrIp", &range),
            ],
        ),
        (
            "AuthorizeSecurityGroupEgress",
            vec![
                ("GroupId", &group),
                ("IpPermissions.1.IpProtocol", "-1"),
                ("IpPermissions.1.Groups.1.GroupId", &group),
            ],
        ),
        ("DeleteSecurityGroup", vec![("GroupId", &group)]),
        (
            "ModifyNetworkInterfaceAttribute",
            vec![
                ("NetworkInterfaceId", &interface),
                ("SecurityGroupId.1", &group),
            ],
        ),
        ("CreateInternetGateway", vec![]),
        (
            "AttachInternetGateway",
            vec![("InternetGatewayId", &gateway), ("VpcId", &vpc)],
        ),
        (
            "CreateNatGateway",
            vec![("SubnetId", &subnet), ("AllocationId", &allocation)],
        ),
        ("DeleteNatGateway", vec![("NatGatewayId", &nat)]),
        (
            "CreateRoute",
            vec![
                ("RouteTableId", &table),
                ("DestinationCidrBlock", "0.0.0.0/0"),
                ("NetworkInterfaceId", &interface),
            ],
        ),
        (
            "CreateNetworkAclEntry",
            vec![
                ("NetworkAclId", &acl),
                ("RuleNumber", &number),
                ("Egress", egress),
                ("Protocol", "-1"),
                ("RuleAction", "allow"),
                ("CidrBlock", &range),
            ],
        ),
        (
            "ReplaceNetworkAclAssociation",
            vec![("AssociationId", &acl_association), ("NetworkAclId", &acl)],
        ),
        ("DeleteSubnet", vec![("SubnetId", &subnet)]),
    ];
    let (name, parameters) = &calls[usize::from(action) % calls.len()];
    let before = account.state.clone();
    if account.call(name, parameters).is_err() {
        assert!(
            account.state.changes(&before).is_empty(),
            "a refused {name} changed something"
        );
    }
}

const IMAGE: &str = "ami-0a1b2c3d4e5f60001";

/// What must be true of any account.
fn sound(state: &State) {
    let mut addresses = BTreeMap::new();
    for interface in state.network_interfaces.values() {
        let subnet = &state.subnets[&interface.subnet];
        assert_eq!(subnet.vpc, interface.vpc);
        for address in &interface.addresses {
            assert!(
                subnet.cidr.contains(&address.ip),
                "{} is outside of {}",
                address.ip,
                subnet.id
            );
            let other = addresses.insert((interface.vpc.clone(), address.ip), interface.id.clone());
            assert_eq!(other, None, "{} is taken twice", address.ip);
        }
        for group in &interface.groups {
            assert_eq!(state.security_groups[group].vpc, interface.vpc);
        }
        if let Some(instance) = interface.instance() {
            assert!(state.instances[instance].interfaces.contains(&interface.id));
        }
    }
    for elastic in state.elastic_ips.values() {
        let Some(association) = &elastic.association else {
            continue;
        };
        let interface = &state.network_interfaces[&association.network_interface];
        assert!(interface.holds(association.private_ip));
    }
    for instance in state.instances.values() {
        for id in &instance.interfaces {
            assert_eq!(state.network_interfaces[id].instance(), Some(&instance.id));
        }
    }
    for subnet in state.subnets.values() {
        let acls = state
            .network_acls
            .values()
            .flat_map(|acl| &acl.associations);
        assert_eq!(
            acls.filter(|of| of.subnet == subnet.id).count(),
            1,
            "{} has one network ACL",
            subnet.id
        );
    }
    for vpc in state.vpcs.values() {
        let tables = state
            .route_tables
            .values()
            .filter(|table| table.vpc == vpc.id);
        let mains = tables
            .flat_map(|table| &table.associations)
            .filter(|of| of.with == AssociatedWith::Main);
        assert_eq!(mains.count(), 1, "{} has one main route table", vpc.id);
    }
}

/// The account as the store would give it back.
fn reloaded(state: &State) -> State {
    let empty = State::empty(state.settings.clone());
    let mut back = State::empty(state.settings.clone());
    for change in state.changes(&empty) {
        let value = change.value.unwrap();
        back.load(&change.table, &change.key, &value).unwrap();
    }
    back
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// OPS-STATE, AWS-VPC, AWS-SUBNET, AWS-ENI, AWS-EIP, AWS-SG, AWS-NACL, AWS-RTB.
    #[test]
    fn accounts_stay_sound(steps in prop::collection::vec(any::<Step>(), 1..60)) {
        let outside = Outside { internet: "internet".into() };
        let mut account = Account::new();
        account.quotas = false;
        let mut fabric = compile::fabric(&account.state, &outside);
        for (moment, next) in steps.into_iter().enumerate() {
            let before = account.state.clone();
            step(&mut account, next);
            if moment % 5 == 4 {
                account.wait(200);
            }
            sound(&account.state);
            compile::update(&mut fabric, &before, &account.state, &outside);
        }
        prop_assert!(fabric == compile::fabric(&account.state, &outside), "compiled step by step differs");
        let back = reloaded(&account.state);
        prop_assert!(back.changes(&account.state).is_empty() && account.state.changes(&back).is_empty());
    }
}

//! Internet gateway → gateway that translates 1:1.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html>

use super::Outside;
use super::touched::{Touched, translations, versions};
use crate::model::network_interface::NetworkInterface;
use crate::model::route_table::AssociatedWith;
use crate::model::{InternetGatewayId, State, VpcId};
use fabric::{Gateway, GatewayId, GatewayKind, InternetGateway};
use imbl::OrdMap;
use std::sync::Arc;

/// The largest packet through an internet gateway.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html>
const MTU: u16 = 1500;

pub(super) fn update(
    gateways: &mut OrdMap<GatewayId, Arc<Gateway>>,
    touched: &Touched,
    old: &State,
    new: &State,
    outside: &Outside,
) {
    for id in &touched.internet_gateways {
        super::put(gateways, id.as_str().into(), gateway(new, id, outside));
    }
    let changed = touched
        .network_interfaces
        .iter()
        .map(|id| versions(old, new, id));
    // All that leaves goes before anything joins: a public address may move between interfaces.
    for (before, _) in changed.clone() {
        translate(gateways, old, new, before, |gateway, (private, _)| {
            gateway.translations.remove(&private);
        });
    }
    for (_, after) in changed {
        translate(gateways, new, new, after, |gateway, (private, public)| {
            gateway.translations.insert(private, public);
        });
    }
}

fn gateway(state: &State, id: &InternetGatewayId, outside: &Outside) -> Option<Gateway> {
    let vpc = state.internet_gateways.get(id)?.vpc.as_ref()?;
    let edge = AssociatedWith::InternetGateway(id.clone());
    let table = state.route_tables.iter().find(|(_, table)| {
        table
            .associations
            .iter()
            .any(|association| association.with == edge)
    });
    let of_vpc = state
        .network_interfaces
        .values()
        .filter(|interface| interface.vpc == *vpc);
    Some(Gateway {
        id: id.as_str().into(),
        kind: GatewayKind::Internet(InternetGateway {
            inside: vpc.as_str().into(),
            outside: outside.internet.clone(),
            translations: of_vpc
                .flat_map(|interface| translations(state, interface))
                .collect(),
            route_table: table.map(|(id, _)| id.as_str().into()),
            mtu: MTU,
        }),
    })
}

/// Changes the translations of the gateway that is now attached to an interface's VPC.
fn translate(
    gateways: &mut OrdMap<GatewayId, Arc<Gateway>>,
    then: &State,
    now: &State,
    interface: Option<&Arc<NetworkInterface>>,
    mut change: impl FnMut(&mut InternetGateway, (std::net::Ipv4Addr, std::net::Ipv4Addr)),
) {
    let Some(interface) = interface else { return };
    let Some(id) = attached(now, &interface.vpc) else {
        return;
    };
    if let Some(gateway) = gateways.get_mut(&GatewayId::from(id.as_str())) {
        let GatewayKind::Internet(gateway) = &mut Arc::make_mut(gateway).kind;
        translations(then, interface)
            .into_iter()
            .for_each(|translation| change(gateway, translation));
    }
}

fn attached<'a>(state: &'a State, vpc: &VpcId) -> Option<&'a InternetGatewayId> {
    state
        .internet_gateways
        .iter()
        .find(|(_, gateway)| gateway.vpc.as_ref() == Some(vpc))
        .map(|(id, _)| id)
}

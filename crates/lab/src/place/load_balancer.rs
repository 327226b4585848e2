//! Load balancers as places: `lb/<name>` is the first of its nodes, called at its first listener's port.

use super::{NoSuchPlace, Place, at_port, list};
use crate::cloud::Snapshot;
use aws::model::load_balancer::{Node, listener};
use fabric::PortId;

/// Where a load balancer is.
///
/// # Errors
/// None has this name, or it has no node.
pub(super) fn find(snapshot: &Snapshot, name: &str) -> Result<Place, NoSuchPlace> {
    let state = &snapshot.state;
    let classic = state.classic_load_balancers.values();
    let mut classic = classic.filter(|of| of.name == name);
    let second = state.load_balancers.values();
    let mut second = second.filter(|of| of.name == name);
    let (node, port) = match (second.next(), classic.next()) {
        (Some(of), _) => {
            let ports = listener::of(state, &of.arn).filter_map(|listener| listener.port);
            (of.nodes.first(), ports.min())
        }
        (None, Some(of)) => (of.nodes.first(), of.listeners.keys().next().copied()),
        (None, None) => (None, None),
    };
    let node: &Node = node.ok_or_else(|| NoSuchPlace::LoadBalancer {
        name: name.to_owned(),
        known: known(snapshot),
    })?;
    let place = at_port(&snapshot.fabric, &PortId::from(node.interface.as_str()))?;
    Ok(Place {
        called_at: port,
        ..place
    })
}

fn known(snapshot: &Snapshot) -> String {
    let second = snapshot.state.load_balancers.values();
    let classic = snapshot.state.classic_load_balancers.values();
    let names = second.map(|of| of.name.clone());
    list(names.chain(classic.map(|of| of.name.clone())))
}

#[cfg(test)]
mod tests {
    use crate::place::PlaceName;

    /// AWS-ALB: the contract's `lb/<name>`.
    #[test]
    fn the_name_is_understood() {
        let place: PlaceName = "lb/shop".parse().unwrap();
        assert_eq!(place, PlaceName::LoadBalancer("shop".to_owned()));
        assert_eq!(place.to_string(), "lb/shop");
        assert!("lb/".parse::<PlaceName>().is_err());
    }
}

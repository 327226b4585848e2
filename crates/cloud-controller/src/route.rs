//! Whether a subnet is public, by the route tables of its VPC.

use crate::aws::{list, text};
use serde_json::Value;

/// Whether a subnet's route table, or else the main one, has a route to an internet gateway.
pub(crate) fn is_public(subnet: &str, tables: &[Value]) -> bool {
    let with = |fits: &dyn Fn(&Value) -> bool| {
        tables
            .iter()
            .find(|table| list(table, "associationSet").iter().any(fits))
    };
    let own = with(&|of| text(of, "subnetId") == subnet);
    let table = own.or_else(|| with(&|of| text(of, "main") == "true"));
    table.is_some_and(|table| {
        let mut routes = list(table, "routeSet").iter();
        routes.any(|route| text(route, "gatewayId").starts_with("igw-"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn subnets_without_a_table_of_their_own_have_the_main_one() {
        let main = json!({
            "associationSet": [{"main": "true"}], "routeSet": [{"gatewayId": "igw-1"}],
        });
        let private = json!({
            "associationSet": [{"main": "false", "subnetId": "subnet-p"}],
            "routeSet": [{"natGatewayId": "nat-1"}],
        });
        let tables = [private, main];
        assert!(is_public("subnet-1", &tables));
        assert!(!is_public("subnet-p", &tables));
        assert!(!is_public("subnet-1", &tables[..1]));
    }
}

//! Resources belong to a region: a request sees those of the region that it asks.

use super::*;
use std::borrow::Borrow;
use std::sync::Arc;

/// A resource of one region.
pub trait Regional {
    /// The region, such as `us-west-2`.
    fn region(&self) -> &str;
}

macro_rules! regional {
    ($($resource:ty,)*) => {
        $(impl Regional for $resource {
            fn region(&self) -> &str {
                &self.region
            }
        })*
    };
}

regional! {
    dhcp_options::DhcpOptions,
    elastic_ip::ElasticIp,
    instance::Instance,
    internet_gateway::InternetGateway,
    key_pair::KeyPair,
    launch_template::LaunchTemplate,
    nat_gateway::NatGateway,
    network_acl::NetworkAcl,
    network_interface::NetworkInterface,
    prefix_list::PrefixList,
    route_table::RouteTable,
    security_group::SecurityGroup,
    subnet::Subnet,
    volume::Volume,
    vpc::Vpc,
}

impl Context {
    /// A table's resources in the region asked, in the order of their ids.
    pub fn here<'t, K: Ord, V: Regional + 't>(
        &self,
        table: &'t Table<K, V>,
    ) -> impl Iterator<Item = &'t V> {
        let all = table.values().map(Arc::as_ref);
        all.filter(|resource| resource.region() == self.region)
    }

    /// A resource by its id, if it is in the region asked.
    pub fn find<'t, K, Q, V>(&self, table: &'t Table<K, V>, id: &Q) -> Option<&'t V>
    where
        K: Ord + Borrow<Q>,
        Q: Ord + ?Sized,
        V: Regional,
    {
        let found = table.get(id).map(Arc::as_ref);
        found.filter(|resource| resource.region() == self.region)
    }
}

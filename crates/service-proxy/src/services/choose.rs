//! Which endpoints a node sends packets to: upstream's `CategorizeEndpoints`.

use super::Options;
use super::slice::Endpoint;
use fabric::Backend;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Endpoints by what they get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    /// New flows under the policy Cluster.
    pub(super) everywhere: Vec<Backend>,
    /// New flows under the policy Local.
    pub(super) here: Vec<Backend>,
    /// The flows that they have.
    pub(super) lingering: Vec<Backend>,
}

/// An endpoint and its port.
type At<'a> = (&'a Endpoint, u16);
/// Whether an endpoint's hints mean this node, if it has some.
type Hint = fn(&Endpoint, &Options) -> Option<bool>;

/// Ready ones; where none is ready, those that still serve though they terminate. The policy Cluster
/// also goes by hints; Local only takes this node's.
pub(super) fn choose(endpoints: &[At<'_>], options: &Options) -> Chosen {
    let ready = |at: &&At<'_>| at.0.ready;
    let leaving = |at: &&At<'_>| at.0.serving && at.0.terminating;
    let local = |at: &&At<'_>| at.0.is_on(options);
    let all_ready: Vec<At<'_>> = endpoints.iter().filter(ready).copied().collect();
    let everywhere = if all_ready.is_empty() {
        endpoints.iter().filter(leaving).copied().collect()
    } else {
        hinted(all_ready, options)
    };
    let here = endpoints.iter().filter(local);
    let mut chosen_here: Vec<At<'_>> = here.clone().filter(ready).copied().collect();
    if chosen_here.is_empty() {
        chosen_here = here.filter(leaving).copied().collect();
    }
    let (everywhere, here) = (backends(everywhere), backends(chosen_here));
    let serving = endpoints.iter().filter(|at| at.0.serving).copied();
    let lingering = backends(serving.collect())
        .into_iter()
        .filter(|one| !everywhere.contains(one) && !here.contains(one))
        .collect();
    Chosen {
        everywhere,
        here,
        lingering,
    }
}

/// Those that are meant for this node, or else for its zone, where all say whom they are meant for and
/// some mean this one.
/// <https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-distribution>
fn hinted<'a>(ready: Vec<At<'a>>, options: &Options) -> Vec<At<'a>> {
    let hints: [Hint; 2] = [Endpoint::for_node, Endpoint::for_zone];
    for meant in hints {
        let all_say = ready.iter().all(|at| meant(at.0, options).is_some());
        let mine: Vec<At<'a>> = ready
            .iter()
            .filter(|at| meant(at.0, options) == Some(true))
            .copied()
            .collect();
        if all_say && !mine.is_empty() {
            return mine;
        }
    }
    ready
}

/// In order, each address and port once.
fn backends(endpoints: Vec<At<'_>>) -> Vec<Backend> {
    let by_place: BTreeMap<(Ipv4Addr, u16), &str> = endpoints
        .into_iter()
        .map(|(endpoint, port)| ((endpoint.address, port), endpoint.name.as_str()))
        .collect();
    by_place
        .into_iter()
        .map(|((address, port), name)| Backend {
            address,
            port,
            name: name.to_owned(),
        })
        .collect()
}

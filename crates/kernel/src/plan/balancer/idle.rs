//! After how long without a packet a node forgets a flow.
//!
//! Connection tracking has a policy for each transport and time, which a flow's first packet gives to
//! the flow.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html#connection-idle-timeout>

use super::IDLES;
use crate::netlink::nftables::timeout::Timeout;
use crate::netlink::nftables::{Data, Expression, Name, Verdict};
use crate::plan::dispatch::*;
use crate::plan::number::Numbered;
use crate::plan::object::{Object, Place, Thing};
use crate::plan::unit::View;
use fabric::balancer::Transport;

/// After how many seconds flows of a transport are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::plan) struct Idle {
    pub(super) transport: Transport,
    pub(super) seconds: u32,
}

impl Idle {
    fn name(self) -> Name {
        let Self { transport, seconds } = self;
        match transport {
            Transport::Tcp => name(&format!("idle.tcp.{seconds}")),
            Transport::Udp => name(&format!("idle.udp.{seconds}")),
        }
    }
}

pub(in crate::plan) fn plan_idle(view: &mut View<'_>, place: &Place, idle: Idle) -> Option<()> {
    let own = idle.name();
    let policy = match idle.transport {
        Transport::Tcp => Timeout::Tcp(idle.seconds),
        Transport::Udp => Timeout::Udp(idle.seconds),
    };
    view.want(place, Thing::Timeout(own.clone()), Object::Timeout(policy));
    let rule = vec![Expression::Forget(own.clone())];
    view.want_chain(place, &own, None, vec![rule]);
    let number = number_key(view.number(Numbered::Idle(idle)));
    // And back: the member is yet to be chosen.
    let data = Data::Verdict(Verdict::Jump(own));
    view.want_element(place, &name(IDLES), one(number), data);
    Some(())
}

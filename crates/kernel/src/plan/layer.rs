//! A port's filters: one stage for each layer on the way out and one on the way in.
//!
//! State is kept for each port, although the ports of a network share one connection tracking. An
//! entry can only concern the port that owns the flow's source and the one that owns its
//! destination, so two bits of its mark hold all there is to know: that the flow was let in
//! ([`LET_IN`]: its first direction into a port, and so its other direction out of that port), and
//! that it was let out ([`LET_OUT`], the same with the directions exchanged). A packet whose bit is
//! set passes without a rule being asked. ICMP errors carry the entry of the flow they are about,
//! in the direction they go themselves, so they pass where that flow's packets of this direction
//! do. Packets that belong to no entry (invalid ones) are judged by the rules alone.
//!
//! A flow is remembered when its first direction passes, unless a filter let it through that leaves
//! open flows untracked ([`fabric::Tracking::UnlessOpen`]): the filter's chain then says so by a bit
//! of the packet's mark.

use super::dispatch::*;
use super::filter;
use super::network::lenient_tracking;
use super::number::Numbered;
use super::object::Place;
use super::unit::{View, Way};
use crate::netlink::nftables::{
    CtKey, Data, DataKind, Expression, Hook, MetaKey, Name, Rule, Verdict,
};
use fabric::{Layer, Port, Protocol};

/// Bit of a flow's mark: it was let into the port that owns its destination.
const LET_IN: u32 = 1;
/// Bit of a flow's mark: it was let out of the port that owns its source.
const LET_OUT: u32 = 2;
/// The same two in a node, where other programs use the lower bits.
const POD_LET_IN: u32 = 1 << 24;
const POD_LET_OUT: u32 = 1 << 25;
/// Layers that a port can have: their stages lie between fixed priorities.
const MOST_LAYERS: usize = 16;
/// Links whose flows are always tracked.
const TRACKED: &str = "tracked";

/// What depends on the way.
pub(super) struct Stage {
    way: Way,
    /// The bit that lets a packet of the flow's first direction pass.
    bit: u32,
    /// The bit that lets a packet of its other direction pass.
    back_bit: u32,
    /// Loads what the port is known by: its link.
    side: Expression,
    /// What the names of the stage's chains and sets begin with.
    word: &'static str,
    first_priority: i32,
    state_priority: i32,
    /// Bit of a packet's mark: what let it through leaves it untracked, if it may.
    open_mark: u32,
}

impl Stage {
    fn of(way: Way) -> Self {
        match way {
            Way::Egress => Self {
                way,
                bit: LET_OUT,
                back_bit: LET_IN,
                side: input_link(R0),
                word: "leave",
                first_priority: 10,
                state_priority: 30,
                open_mark: 1 << 30,
            },
            Way::Ingress => Self {
                way,
                bit: LET_IN,
                back_bit: LET_OUT,
                side: output_link(R0),
                word: "arrive",
                first_priority: 50,
                state_priority: 80,
                open_mark: 1 << 29,
            },
        }
    }

    /// The stage of a node's pods, which are known by their addresses.
    pub(super) fn of_pods(way: Way) -> Self {
        let (bit, back_bit, side) = match way {
            Way::Egress => (POD_LET_OUT, POD_LET_IN, source(R0)),
            Way::Ingress => (POD_LET_IN, POD_LET_OUT, destination(R0)),
        };
        Self {
            bit,
            back_bit,
            side,
            ..Self::of(way)
        }
    }

    /// Links and protocols whose open flows may stay untracked.
    fn untracked(&self) -> Name {
        name(&format!("{}.untracked", self.word))
    }

    /// The ports whose flows are remembered here.
    fn filtered(&self) -> Name {
        name(&format!("{}.filtered", self.word))
    }
}

/// The chain that ends an open rule of a filter that leaves open flows untracked.
pub(super) fn open_chain(view: &mut View<'_>, place: &Place, way: Way) -> Name {
    let stage = Stage::of(way);
    let chain = name(&format!("{}.open", stage.word));
    let rule = vec![
        Expression::Meta(MetaKey::Mark, R0),
        set_bit(R0, stage.open_mark),
        Expression::SetMark(R0),
        accept(),
    ];
    view.want_chain(place, &chain, None, vec![rule]);
    chain
}

/// Notes a port whose flows are always tracked.
pub(super) fn always_tracked(view: &mut View<'_>, place: &Place, port: &Port, link: u32) {
    if port.always_tracked {
        view.want_set(place, &name(TRACKED), shape(4, DataKind::Nothing, false));
        view.want_element(place, &name(TRACKED), one(link_key(link)), Data::Nothing);
    }
}

/// The stages of a port's filters. In a nic, packets to and from the network's own services pass
/// them; in a network they never come this way.
pub(super) fn plan(view: &mut View<'_>, place: &Place, link: u32, port: &Port, in_nic: bool) {
    if port.layers.is_empty() {
        return;
    }
    lenient_tracking(view, place);
    for way in [Way::Egress, Way::Ingress] {
        let stage = Stage::of(way);
        let other_end = match way {
            Way::Egress => destination(R0),
            Way::Ingress => source(R0),
        };
        let always = in_nic.then(|| vec![other_end, found(SERVICES, R0), accept()]);
        for (depth, layer) in port.layers.iter().take(MOST_LAYERS).enumerate() {
            plan_layer(
                view,
                place,
                &link_key(link),
                &stage,
                depth,
                layer,
                always.clone(),
            );
        }
        state(view, place, link, &stage);
        for protocol in [Protocol::TCP, Protocol::UDP] {
            if leaves_open_untracked(view, port, way, protocol) {
                let key = [link.to_ne_bytes(), [protocol.0, 0, 0, 0]].concat();
                view.want_element(place, &stage.untracked(), one(key), Data::Nothing);
            }
        }
    }
}

/// A stage's layer: what belongs to a flow that was let through passes, and what always does; then the
/// port's filters decide.
pub(super) fn plan_layer(
    view: &mut View<'_>,
    place: &Place,
    port: &[u8],
    stage: &Stage,
    depth: usize,
    layer: &Layer,
    always: Option<Rule>,
) {
    let chain = name(&format!("{}.{depth}", stage.word));
    // What leaves meets the layers first to last, what arrives last to first.
    let place_in_line = match stage.way {
        Way::Egress => depth,
        Way::Ingress => MOST_LAYERS - depth,
    };
    let priority = stage.first_priority + place_in_line as i32;
    let target = layer_chain(view, place, stage.way, layer);
    view.want_set(
        place,
        &chain,
        shape(port.len() as u8, DataKind::Verdict, false),
    );
    view.want_element(place, &chain, one(port.to_vec()), go_to(&target));
    let mut rules = Vec::new();
    for (back, bit) in [(false, stage.bit), (true, stage.back_bit)] {
        let mut rule = goes(R0, back).to_vec();
        rule.push(Expression::Ct(CtKey::Mark, R1));
        rule.extend(bit_is(R1, bit, true));
        rule.push(accept());
        rules.push(rule);
    }
    rules.extend(always);
    rules.push(vec![stage.side.clone(), decide(&chain, R0)]);
    // A port without a filter here.
    rules.push(vec![accept()]);
    view.want_chain(place, &chain, base(Hook::Forward, priority, false), rules);
}

/// The chain that a layer's evaluation begins in; what passes its end is dropped.
fn layer_chain(view: &mut View<'_>, place: &Place, way: Way, layer: &Layer) -> Name {
    let filters = match layer {
        Layer::First(id) => {
            view.need_filter(place, id, way);
            return filter::chain(id, way);
        }
        Layer::AnyOf(filters) => filters,
    };
    let number = view.number(Numbered::Layer(layer.clone()));
    let chain = name(&format!("layer.{number}.{}", way.word()));
    let mut open: Vec<Rule> = Vec::new();
    let mut others: Vec<Rule> = Vec::new();
    let jump = |to| vec![Expression::Verdict(Verdict::Jump(to))];
    for id in filters {
        view.need_filter(place, id, way);
        // Open rules first: a flow that one of them lets through is open whatever else does.
        if view
            .openness(id)
            .is_some_and(|openness| openness.tells_open)
        {
            open.push(jump(filter::open_rules(id, way)));
        }
        others.push(jump(filter::chain(id, way)));
    }
    open.extend(others);
    view.want_chain(place, &chain, None, open);
    chain
}

/// The stage that remembers a flow once all layers let its first direction pass.
fn state(view: &mut View<'_>, place: &Place, link: u32, stage: &Stage) {
    let untracked = stage.untracked();
    view.want_set(place, &untracked, shape(8, DataKind::Nothing, false));
    view.want_set(place, &name(TRACKED), shape(4, DataKind::Nothing, false));
    let mut open = vec![Expression::Meta(MetaKey::Mark, R0)];
    open.extend(bit_is(R0, stage.open_mark, true));
    open.extend([
        stage.side.clone(),
        Expression::Meta(MetaKey::Protocol, R1),
        found(&untracked, R0),
        input_link(R0),
        missing(TRACKED, R0),
        output_link(R0),
        missing(TRACKED, R0),
        accept(),
    ]);
    remember(view, place, &link_key(link), stage, vec![open]);
}

/// Remembers a port's flows, except those for which one of these rules ends the stage.
pub(super) fn remember(
    view: &mut View<'_>,
    place: &Place,
    port: &[u8],
    stage: &Stage,
    mut rules: Vec<Rule>,
) {
    let filtered = stage.filtered();
    view.want_set(
        place,
        &filtered,
        shape(port.len() as u8, DataKind::Nothing, false),
    );
    // A flow may pass other ports of this place on its way, which have no say.
    view.want_element(place, &filtered, one(port.to_vec()), Data::Nothing);
    // Cheapest first: most packets belong to a flow that is remembered already.
    let mut remember = vec![Expression::Ct(CtKey::Mark, R1)];
    remember.extend(bit_is(R1, stage.bit, false));
    remember.extend(goes(R0, false));
    remember.extend([
        stage.side.clone(),
        found(&filtered, R0),
        Expression::Ct(CtKey::Mark, R1),
        set_bit(R1, stage.bit),
        Expression::SetCtMark(R1),
    ]);
    rules.push(remember);
    let chain = name(&format!("{}.state", stage.word));
    view.want_chain(
        place,
        &chain,
        base(Hook::Forward, stage.state_priority, true),
        rules,
    );
}

/// Whether a port leaves flows of a protocol untracked that an open rule lets through this way: all
/// its filters must be such that do, and let everything of the protocol go the other way.
fn leaves_open_untracked(view: &mut View<'_>, port: &Port, way: Way, protocol: Protocol) -> bool {
    let other = match way {
        Way::Egress => Way::Ingress,
        Way::Ingress => Way::Egress,
    };
    port.layers.iter().all(|layer| match layer {
        Layer::First(_) => false,
        Layer::AnyOf(ids) => {
            let filters: Vec<_> = ids.iter().filter_map(|id| view.openness(id)).collect();
            filters.iter().all(|openness| openness.tells_open)
                && filters
                    .iter()
                    .any(|openness| openness.passes_all(other, protocol))
        }
    })
}

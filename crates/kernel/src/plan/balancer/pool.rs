//! Pools of members, and how one is drawn.
//!
//! A pool's members sit in numbered seats, and drawing one draws a seat's number. The kernel draws below
//! a fixed bound only, so there is a chain for each size of pool, shared by all pools of that size. A
//! client that stays is looked up first, under the pool and its address, and found as long as its
//! member is one of the pool's.

use super::{
    AFFINITY, LISTENERS_KEY, MASKED, MEMBERS, NOWHERE, POOLS, R3, R4, STAYING, WAYS, place_of,
    to_pool,
};
use crate::netlink::nftables::{Data, Expression, Learn, LookupTo, Name, Register, Rule};
use crate::plan::dispatch::*;
use crate::plan::number::{MembersOf, Numbered};
use crate::plan::object::Place;
use crate::plan::unit::View;
use fabric::balancer::SourceSeen;
use std::collections::BTreeSet;
use std::net::SocketAddrV4;

/// How a member is drawn.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::plan) struct Draw {
    /// From so many.
    size: u32,
    /// For how many seconds clients stay, if they do.
    affinity: Option<u32>,
}

impl Draw {
    fn chain(&self) -> Name {
        let size = self.size;
        match self.affinity {
            None => name(&format!("draw.{size}")),
            Some(seconds) => name(&format!("draw.{size}.{seconds}")),
        }
    }
}

/// A member as a map's value.
fn value(member: SocketAddrV4) -> Vec<u8> {
    let [high, low] = member.port().to_be_bytes();
    let mut bytes = member.ip().octets().to_vec();
    bytes.extend([high, low, 0, 0]);
    bytes
}

pub(in crate::plan) fn plan_members(view: &mut View<'_>, of: &MembersOf) -> Option<()> {
    let place = &place_of(view, &of.host)?;
    let number = view.number(Numbered::Members(of.clone()));
    let balancer = view.balancer_node(&of.balancer, &of.host)?;
    let pool = view.members(of);
    let members: BTreeSet<SocketAddrV4> = pool
        .map(|pool| balancer.selection(&of.host, pool))
        .iter()
        .flat_map(|selection| selection.members())
        .map(|member| member.place())
        .collect();
    let affinity = pool.and_then(|pool| pool.affinity);
    let seats = view.member_seats(of, &members);
    for (index, member) in (0u32..).zip(&seats) {
        let key = [number_key(number), number_key(index)].concat();
        let data = Data::Value(value(*member));
        view.want_element(place, &name(MEMBERS), one(key), data);
        if affinity.is_some() {
            let key = [number_key(number), value(*member)].concat();
            view.want_element(place, &name(STAYING), one(key), Data::Nothing);
        }
    }
    if pool.is_some_and(|pool| pool.source == SourceSeen::Node) {
        view.want_element(place, &name(MASKED), one(number_key(number)), Data::Nothing);
    }
    let way = if seats.is_empty() {
        NOWHERE
    } else {
        let draw = Draw {
            size: u32::try_from(seats.len()).unwrap_or(u32::MAX),
            affinity,
        };
        view.need_draw(place, draw.clone());
        view.number(Numbered::Draw(draw))
    };
    let data = Data::Value(number_key(way));
    view.want_element(place, &name(POOLS), one(number_key(number)), data);
    Some(())
}

/// The registers that a drawing chain uses, behind those of the pool's number (the third) and of a seat
/// or a member behind it: the pool again, and the client; what was drawn.
const POOL: Register = R2;
const SEAT: Register = R3;
const STAYED: Register = R3;
const STAYED_PORT: Register = R4;
const STAY: Register = Register(6);
const CLIENT: Register = Register(7);
const MEMBER: Register = Register(8);
const PORT: Register = Register(9);

fn look(set: &str, key: Register, to: LookupTo) -> Expression {
    Expression::Lookup {
        set: name(set),
        key,
        to,
    }
}

fn translate(address: Register, port: Register) -> Expression {
    Expression::DestinationNat { address, port }
}

pub(in crate::plan) fn plan_draw(view: &mut View<'_>, place: &Place, draw: &Draw) -> Option<()> {
    let mut drawn = to_pool(LISTENERS_KEY);
    drawn.extend([
        Expression::Random {
            below: draw.size,
            to: SEAT,
        },
        look(MEMBERS, POOL, LookupTo::Register(MEMBER)),
    ]);
    let mut rules: Vec<Rule> = Vec::new();
    if let Some(seconds) = draw.affinity {
        let client = [
            look(super::LISTENERS, R0, LookupTo::Register(STAY)),
            source(CLIENT),
        ];
        let learn = |how| Expression::Learn {
            set: name(AFFINITY),
            key: STAY,
            how,
        };
        // The member of last time, behind the pool's number, if it is still one.
        let mut again = to_pool(LISTENERS_KEY);
        again.extend(client.clone());
        again.extend([
            look(AFFINITY, STAY, LookupTo::Register(STAYED)),
            look(STAYING, POOL, LookupTo::Found),
            learn(Learn::Keep(STAYED, seconds)),
            translate(STAYED, STAYED_PORT),
        ]);
        let mut forget = to_pool(LISTENERS_KEY);
        forget.extend(client.clone());
        forget.push(learn(Learn::Forget(STAY)));
        let mut first = drawn.clone();
        first.extend(client);
        first.extend([learn(Learn::Add(MEMBER, seconds)), translate(MEMBER, PORT)]);
        rules.extend([again, forget, first]);
    }
    // Where nothing more can be remembered, or nothing is to be.
    drawn.push(translate(MEMBER, PORT));
    rules.push(drawn);
    view.want_chain(place, &draw.chain(), None, rules);
    let way = number_key(view.number(Numbered::Draw(draw.clone())));
    view.want_element(place, &name(WAYS), one(way), go_to(&draw.chain()));
    Some(())
}

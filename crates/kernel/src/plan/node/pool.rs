//! Pools of backends, and how one is picked.
//!
//! A pool's backends sit in numbered seats. Picking draws a seat's number; since the kernel draws below
//! a fixed bound only, there is a chain for each size of pool, shared by all pools of that size. Each
//! has maps of its own, of frontends to pools and of seats to backends: a new chain that looked into a
//! map of all of them would make the kernel walk it. A client that stays is looked up first, under the
//! pool and its address, and found as long as its backend is one of the pool's.

use super::services::{AFFINITY, PICKS, STAYING, WAYS, frontend};
use crate::netlink::nftables::{Data, DataKind, Expression, Learn, LookupTo, Name, Register, Rule};
use crate::plan::dispatch::*;
use crate::plan::number::{Numbered, Pool};
use crate::plan::object::Place;
use crate::plan::unit::View;
use fabric::Backend;
use std::collections::BTreeSet;
use std::net::SocketAddrV4;

/// How a backend is picked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::plan) struct Pick {
    /// From so many.
    pub(in crate::plan) size: u32,
    /// For how many seconds clients stay, if they do.
    pub(in crate::plan) affinity: Option<u32>,
    /// Whether from the pool of the short cut.
    pub(in crate::plan) wide: bool,
}

impl Pick {
    fn chain(&self) -> Name {
        let word = if self.wide { "wide" } else { "pick" };
        let size = self.size;
        match self.affinity {
            None => name(&format!("{word}.{size}")),
            Some(seconds) => name(&format!("{word}.{size}.{seconds}")),
        }
    }

    /// Frontend → pool.
    fn pools(&self) -> Name {
        name(&format!("{}.pools", self.chain()))
    }

    /// Pool and seat → backend.
    fn backends(&self) -> Name {
        name(&format!("{}.seats", self.chain()))
    }
}

/// What `frontends` says of a frontend: the numbers of the way that its packets take first, of where the
/// traffic policy leads and of where the short cut past it does. No way has the number 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signpost {
    pub(super) first: u32,
    pub(super) led: u32,
    pub(super) wide: u32,
}

impl Signpost {
    /// Bytes of one, as a map's value.
    pub(super) const LENGTH: u8 = 12;

    pub(super) fn bytes(&self) -> Vec<u8> {
        let Self { first, led, wide } = self;
        [*first, *led, *wide].map(u32::to_ne_bytes).concat()
    }
}

/// The registers that a frontend's signpost is loaded to, behind the frontend's key (three).
pub(super) const FIRST: Register = Register(3);
pub(super) const LED: Register = Register(4);
pub(super) const WIDE: Register = Register(5);
/// The registers of a picking chain, behind the frontend's key: the pool and a seat or a backend (three);
/// the pool and the client (two); the backend (two).
const POOL: Register = Register(3);
const SEAT: Register = Register(4);
const STAY: Register = Register(6);
const CLIENT: Register = Register(7);
const BACKEND: Register = Register(8);
const PORT: Register = Register(9);

/// A backend as a map's value.
fn value(backend: SocketAddrV4) -> Vec<u8> {
    let [high, low] = backend.port().to_be_bytes();
    let mut bytes = backend.ip().octets().to_vec();
    bytes.extend([high, low, 0, 0]);
    bytes
}

/// A pool of a node's.
pub(super) struct Seating<'a> {
    pub(super) pool: &'a Pool,
    pub(super) backends: &'a [Backend],
    pub(super) affinity: Option<u32>,
    pub(super) wide: bool,
}

/// Seats a pool's backends; the number of the way from a frontend to one of them.
pub(super) fn seat(
    view: &mut View<'_>,
    place: &Place,
    frontend: &[u8],
    seating: &Seating<'_>,
) -> u32 {
    let number = view.number(Numbered::Pool(seating.pool.clone()));
    let backends = seating.backends.iter();
    let places: BTreeSet<SocketAddrV4> = backends
        .map(|backend| SocketAddrV4::new(backend.address, backend.port))
        .collect();
    let seats = view.seats(seating.pool, &places);
    let pick = Pick {
        size: u32::try_from(seats.len()).unwrap_or(u32::MAX),
        affinity: seating.affinity,
        wide: seating.wide,
    };
    let at = one(frontend.to_vec());
    let pool = Data::Value(number_key(number));
    view.want_element(place, &pick.pools(), at, pool);
    for (index, backend) in (0u32..).zip(&seats) {
        let key = [number_key(number), number_key(index)].concat();
        let data = Data::Value(value(*backend));
        view.want_element(place, &pick.backends(), one(key), data);
        if seating.affinity.is_some() {
            let key = [number_key(number), value(*backend)].concat();
            view.want_element(place, &name(STAYING), one(key), Data::Nothing);
        }
    }
    let way = view.number(Numbered::Pick(pick.clone()));
    view.need_pick(place, pick);
    way
}

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

pub(in crate::plan) fn plan_pick(view: &mut View<'_>, place: &Place, pick: &Pick) -> Option<()> {
    let (pools, backends) = (pick.pools(), pick.backends());
    view.want_set(place, &pools, shape(12, DataKind::Value(4), false));
    view.want_set(place, &backends, shape(8, DataKind::Value(8), false));
    let mut draw = frontend().to_vec();
    draw.extend([
        find(&pools, R0, POOL),
        Expression::Random {
            below: pick.size,
            to: SEAT,
        },
        look(&backends, POOL, LookupTo::Register(BACKEND)),
    ]);
    let drawn = [&draw[..], &[translate(BACKEND, PORT)]].concat();
    let mut rules: Vec<Rule> = Vec::new();
    if let Some(seconds) = pick.affinity {
        let client = [find(&pools, R0, STAY), source(CLIENT)];
        let learn = |how| Expression::Learn {
            set: name(AFFINITY),
            key: STAY,
            how,
        };
        // The backend of last time, behind the pool's number, if it is still one.
        let mut again = frontend().to_vec();
        again.extend(client.clone());
        again.extend([
            find(&pools, R0, POOL),
            look(AFFINITY, STAY, LookupTo::Register(SEAT)),
            look(STAYING, POOL, LookupTo::Found),
            learn(Learn::Keep(SEAT, seconds)),
            translate(SEAT, Register(5)),
        ]);
        let mut forget = frontend().to_vec();
        forget.extend(client.clone());
        forget.push(learn(Learn::Forget(STAY)));
        let mut first = draw;
        first.extend(client);
        first.extend([
            learn(Learn::Add(BACKEND, seconds)),
            translate(BACKEND, PORT),
        ]);
        rules.extend([again, forget, first]);
    }
    // Where nothing more can be remembered, or nothing is to be.
    rules.push(drawn);
    view.want_chain(place, &pick.chain(), None, rules);
    let way = view.number(Numbered::Pick(pick.clone()));
    for map in [WAYS, PICKS] {
        let chain = go_to(&pick.chain());
        view.want_element(place, &name(map), one(number_key(way)), chain);
    }
    Some(())
}

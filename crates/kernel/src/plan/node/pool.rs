//! Pools of backends, and how one is picked.
//!
//! A pool's backends sit in numbered seats. Picking draws a seat's number; since the kernel draws below
//! a fixed bound only, there is a chain for each size of pool, shared by all pools of that size. A
//! client that stays is looked up first, under the pool and its address, and found as long as its
//! backend is one of the pool's.

use super::services::{AFFINITY, BACKENDS, STAYING, frontend};
use crate::netlink::nftables::{Data, Expression, Learn, LookupTo, Name, Register, Rule};
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
}

/// Frontend → pool; by the short cut or not.
pub(super) fn pools(wide: bool) -> Name {
    name(if wide { "pools.wide" } else { "pools" })
}

/// Pool → the chain that picks.
pub(super) fn picks(wide: bool) -> Name {
    name(if wide { "picks.wide" } else { "picks" })
}

/// A backend as a map's value.
fn value(backend: SocketAddrV4) -> Vec<u8> {
    let [high, low] = backend.port().to_be_bytes();
    let mut bytes = backend.ip().octets().to_vec();
    bytes.extend([high, low, 0, 0]);
    bytes
}

/// Seats a pool's backends; how one is picked from them.
pub(super) fn seat(
    view: &mut View<'_>,
    place: &Place,
    pool: &Pool,
    backends: &[Backend],
    affinity: Option<u32>,
    wide: bool,
) -> u32 {
    let number = view.number(Numbered::Pool(pool.clone()));
    let places: BTreeSet<SocketAddrV4> = backends
        .iter()
        .map(|backend| SocketAddrV4::new(backend.address, backend.port))
        .collect();
    let seats = view.seats(pool, &places);
    for (index, backend) in (0u32..).zip(&seats) {
        let key = [number_key(number), number_key(index)].concat();
        let data = Data::Value(value(*backend));
        view.want_element(place, &name(BACKENDS), one(key), data);
        if affinity.is_some() {
            let key = [number_key(number), value(*backend)].concat();
            view.want_element(place, &name(STAYING), one(key), Data::Nothing);
        }
    }
    let pick = Pick {
        size: u32::try_from(seats.len()).unwrap_or(u32::MAX),
        affinity,
        wide,
    };
    let key = one(number_key(number));
    view.want_element(place, &picks(wide), key, go_to(&pick.chain()));
    view.need_pick(place, pick);
    number
}

/// The registers that a picking chain uses: the frontend's key (three); the pool and a seat or a
/// backend (three); the pool and the client (two); the backend (two).
const POOL: Register = Register(3);
const SEAT: Register = Register(4);
const STAY: Register = Register(6);
const CLIENT: Register = Register(7);
const BACKEND: Register = Register(8);
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

pub(in crate::plan) fn plan_pick(view: &mut View<'_>, place: &Place, pick: &Pick) -> Option<()> {
    let pools = pools(pick.wide);
    let mut draw = frontend().to_vec();
    draw.extend([
        find(&pools, R0, POOL),
        Expression::Random {
            below: pick.size,
            to: SEAT,
        },
        look(BACKENDS, POOL, LookupTo::Register(BACKEND)),
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
    Some(())
}

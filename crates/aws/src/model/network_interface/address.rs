//! Private addresses and delegated prefixes: which are free in a subnet, giving and taking them.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-ip-addressing.html>
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-prefix-eni.html>

use super::attachment::check_address_slots;
use super::*;

/// The length of a delegated prefix.
const PREFIX_LENGTH: u8 = 28;
/// How many addresses a delegated prefix has.
const PREFIX_SIZE: u32 = 16;
/// The network's address, the router's, the resolver's and one kept for later.
const RESERVED_AT_START: u32 = 4;

/// What an interface is to have more of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// These addresses.
    pub addresses: Vec<Ipv4Addr>,
    /// That many addresses of AWS's choice.
    pub address_count: u32,
    /// These /28 prefixes.
    pub prefixes: Vec<Ipv4Net>,
    /// That many /28 prefixes of AWS's choice.
    pub prefix_count: u32,
}

/// What an interface was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    /// Addresses, in the order they were asked for or chosen.
    pub addresses: Vec<Ipv4Addr>,
    /// Prefixes.
    pub prefixes: Vec<Ipv4Net>,
}

/// A subnet's addresses while some of them are being given away.
pub(super) struct Pool {
    /// The subnet's VPC.
    pub(super) vpc: VpcId,
    cidr: Ipv4Net,
    held: BTreeSet<Ipv4Addr>,
}

impl Pool {
    pub(super) fn of(state: &State, region: &str, subnet: &SubnetId) -> Result<Self, Refusal> {
        let record = state.subnets.get(subnet);
        let record = record
            .filter(|record| record.region == region)
            .ok_or_else(|| {
                Refusal::new(
                    "InvalidSubnetID.NotFound",
                    format!("The subnet ID '{subnet}' does not exist"),
                )
            })?;
        Ok(Self {
            vpc: record.vpc.clone(),
            cidr: record.cidr.trunc(),
            held: in_use(state, subnet),
        })
    }

    fn first(&self) -> u32 {
        u32::from(self.cidr.network()) + RESERVED_AT_START
    }

    fn last(&self) -> u32 {
        u32::from(self.cidr.broadcast()) - 1
    }

    fn is_reserved(&self, ip: Ipv4Addr) -> bool {
        !(self.first()..=self.last()).contains(&ip.into())
    }

    /// Takes a given address.
    pub(super) fn take(&mut self, ip: Ipv4Addr) -> Result<(), Refusal> {
        self.check_range(ip)?;
        if !self.held.insert(ip) {
            return Err(address_in_use(ip));
        }
        Ok(())
    }

    fn check_range(&self, ip: Ipv4Addr) -> Result<(), Refusal> {
        if !self.cidr.contains(&ip) {
            return Err(Refusal::invalid_value(format!(
                "Address {ip} does not fall within the subnet's address range"
            )));
        }
        if self.is_reserved(ip) {
            return Err(Refusal::invalid_value(format!(
                "Address {ip} is in subnet's reserved address range"
            )));
        }
        Ok(())
    }

    /// Takes a free address, from `start` on, so that choices spread as AWS's do.
    pub(super) fn take_any(&mut self, start: u32) -> Result<Ipv4Addr, Refusal> {
        let (first, count) = (self.first(), self.last() - self.first() + 1);
        let chosen = (0..count)
            .map(|step| Ipv4Addr::from(first + (start % count + step) % count))
            .find(|ip| !self.held.contains(ip))
            .ok_or_else(|| {
                Refusal::new(
                    "InsufficientFreeAddressesInSubnet",
                    "The specified subnet does not have enough free addresses to satisfy the request.",
                )
            })?;
        self.held.insert(chosen);
        Ok(chosen)
    }

    /// Takes a given prefix.
    pub(super) fn take_prefix(&mut self, prefix: Ipv4Net) -> Result<(), Refusal> {
        if prefix.prefix_len() != PREFIX_LENGTH || prefix != prefix.trunc() {
            return Err(Refusal::invalid_value(format!(
                "The prefix {prefix} is not a valid /{PREFIX_LENGTH} IPv4 prefix"
            )));
        }
        if !self.cidr.contains(&prefix) {
            return Err(Refusal::invalid_value(format!(
                "The prefix {prefix} does not fall within the subnet's address range"
            )));
        }
        if !self.is_free(prefix) {
            return Err(no_free_blocks());
        }
        self.held.extend(every_address(&prefix));
        Ok(())
    }

    /// Takes an aligned prefix all of whose addresses are free. A subnet may have hundreds of free
    /// addresses and no such block: that is fragmentation.
    pub(super) fn take_any_prefix(&mut self, start: u32) -> Result<Ipv4Net, Refusal> {
        let network = u32::from(self.cidr.network());
        let count = (u32::from(self.cidr.broadcast()) - network + 1) / PREFIX_SIZE;
        let chosen = (0..count)
            .map(|step| network + (start % count + step) % count * PREFIX_SIZE)
            .filter_map(|at| Ipv4Net::new(at.into(), PREFIX_LENGTH).ok())
            .find(|prefix| self.is_free(*prefix))
            .ok_or_else(no_free_blocks)?;
        self.held.extend(every_address(&chosen));
        Ok(chosen)
    }

    fn is_free(&self, prefix: Ipv4Net) -> bool {
        let range = prefix.network()..=prefix.broadcast();
        self.held.range(range).next().is_none()
            && !self.is_reserved(prefix.network())
            && !self.is_reserved(prefix.broadcast())
    }

    /// Takes all that is wanted.
    pub(super) fn take_wanted(
        &mut self,
        state: &mut State,
        wanted: &Wanted,
    ) -> Result<Assigned, Refusal> {
        let mut taken = Assigned::default();
        for &ip in &wanted.addresses {
            self.take(ip)?;
            taken.addresses.push(ip);
        }
        for &prefix in &wanted.prefixes {
            self.take_prefix(prefix)?;
            taken.prefixes.push(prefix);
        }
        for _ in 0..wanted.address_count {
            taken.addresses.push(self.take_any(number(state))?);
        }
        for _ in 0..wanted.prefix_count {
            taken.prefixes.push(self.take_any_prefix(number(state))?);
        }
        Ok(taken)
    }
}

/// A fresh number to begin a search at.
pub(super) fn number(state: &mut State) -> u32 {
    let bytes = state.bytes();
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn address_in_use(ip: Ipv4Addr) -> Refusal {
    Refusal::new("InvalidIPAddress.InUse", format!("Address {ip} is in use."))
}

fn no_free_blocks() -> Refusal {
    Refusal::new(
        "InsufficientCidrBlocks",
        "The specified subnet does not have enough free cidr blocks to satisfy the request.",
    )
}

impl Wanted {
    fn len(&self) -> usize {
        self.addresses.len()
            + self.prefixes.len()
            + self.address_count as usize
            + self.prefix_count as usize
    }
}

/// Gives an interface more addresses or prefixes. With `allow_reassignment`, secondary addresses
/// that other interfaces of the subnet have are moved, their Elastic IPs with them.
///
/// # Errors
/// `PrivateIpAddressLimitExceeded` beyond the instance type's limit, `InvalidParameterValue` for an
/// address outside the subnet, reserved, or held and not to be moved, `InvalidIPAddress.InUse` for
/// one inside a delegated prefix, `InsufficientFreeAddressesInSubnet`, `InsufficientCidrBlocks`,
/// `AuthFailure` on a service's interface.
pub fn assign(
    state: &mut State,
    id: &NetworkInterfaceId,
    wanted: &Wanted,
    allow_reassignment: bool,
) -> Result<Assigned, Refusal> {
    let interface = edit(state, id)?;
    interface.changeable()?;
    let interface = interface.clone();
    let mut pool = Pool::of(state, &interface.region, &interface.subnet)?;
    let (held, fresh): (Vec<_>, Vec<_>) = wanted
        .addresses
        .iter()
        .copied()
        .partition(|ip| pool.held.contains(ip));
    let moves = moves(state, &interface, &held, allow_reassignment)?;
    let already = held.len() - moves.len();
    check_address_slots(state, &interface, wanted.len() - already)?;
    let wanted = Wanted {
        addresses: fresh,
        ..wanted.clone()
    };
    let mut assigned = pool.take_wanted(state, &wanted)?;
    let edited = edit(state, id)?;
    edited.addresses.extend(
        assigned
            .addresses
            .iter()
            .map(|&ip| PrivateAddress { ip, public: None }),
    );
    edited.prefixes.extend(&assigned.prefixes);
    for (from, ip) in moves {
        carry_over(state, &from, id, ip)?;
    }
    assigned.addresses.splice(0..0, held);
    Ok(assigned)
}

/// From which interfaces the held addresses are to come; none for what the interface has itself.
fn moves(
    state: &State,
    to: &NetworkInterface,
    held: &[Ipv4Addr],
    allowed: bool,
) -> Result<Vec<(NetworkInterfaceId, Ipv4Addr)>, Refusal> {
    if !held.is_empty() && !allowed {
        let held: Vec<_> = held.iter().map(Ipv4Addr::to_string).collect();
        return Err(Refusal::invalid_value(format!(
            "[{}] have been assigned, but move is not allowed.",
            held.join(", ")
        )));
    }
    let mut moves = Vec::new();
    for &ip in held {
        let holder = state
            .network_interfaces
            .values()
            .find(|other| other.subnet == to.subnet && other.holds(ip));
        let Some(holder) = holder else { continue };
        let position = holder.addresses.iter().position(|address| address.ip == ip);
        match position {
            Some(_) if holder.id == to.id => {}
            Some(1..) => moves.push((holder.id.clone(), ip)),
            Some(0) => {
                return Err(Refusal::invalid_value(format!(
                    "{ip} is a primary private IP address and cannot be moved."
                )));
            }
            None => return Err(address_in_use(ip)),
        }
    }
    Ok(moves)
}

/// Moves a secondary address and the public address mapped to it.
fn carry_over(
    state: &mut State,
    from: &NetworkInterfaceId,
    to: &NetworkInterfaceId,
    ip: Ipv4Addr,
) -> Result<(), Refusal> {
    let source = edit(state, from)?;
    let Some(position) = source.addresses.iter().position(|address| address.ip == ip) else {
        return Ok(());
    };
    let address = source.addresses.remove(position);
    if let Some(PublicAddress::Elastic(allocation)) = &address.public {
        elastic_ip::follow(state, allocation, to);
    }
    edit(state, to)?.addresses.push(address);
    Ok(())
}

/// Takes secondary addresses and prefixes from an interface; Elastic IPs on them are disassociated.
///
/// # Errors
/// `InvalidParameterValue` for the primary address or what the interface does not have,
/// `AuthFailure` on a service's interface.
pub fn unassign(
    state: &mut State,
    id: &NetworkInterfaceId,
    addresses: &[Ipv4Addr],
    prefixes: &[Ipv4Net],
) -> Result<(), Refusal> {
    let interface = edit(state, id)?;
    interface.changeable()?;
    if interface
        .primary()
        .is_some_and(|primary| addresses.contains(&primary.ip))
    {
        return Err(Refusal::invalid_value(
            "The primary private IP address of a network interface cannot be unassigned.",
        ));
    }
    let strangers: Vec<_> = addresses
        .iter()
        .filter(|ip| !interface.addresses.iter().any(|address| address.ip == **ip))
        .map(Ipv4Addr::to_string)
        .chain(
            prefixes
                .iter()
                .filter(|prefix| !interface.prefixes.contains(prefix))
                .map(Ipv4Net::to_string),
        )
        .collect();
    if !strangers.is_empty() {
        return Err(Refusal::invalid_value(format!(
            "Some of [{}] are not assigned to interface {id}",
            strangers.join(", ")
        )));
    }
    let (leaving, staying) = interface
        .addresses
        .drain(..)
        .partition(|address| addresses.contains(&address.ip));
    interface.addresses = staying;
    interface
        .prefixes
        .retain(|prefix| !prefixes.contains(prefix));
    elastic_ip::orphan(state, leaving);
    Ok(())
}

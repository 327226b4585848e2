//! What keeps a client with its pool and its member: cookies.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#sticky-sessions>

use super::{Client, Seal, cookie};
use crate::calendar;
use crate::live::{Member, Pool};
use fabric::balancer::Stickiness;
use fabric::balancer::http::{Dialect, Forward, Weighted};
use fabric::id::PoolId;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

/// How long a cookie holds that has no end of its own: a week.
const SESSION: u64 = 7 * 24 * 3600;

/// The cookies of a kind of balancer.
struct Names {
    member: &'static str,
    application: &'static str,
    /// The one more that is for requests from other sites.
    cross_site: Option<&'static str>,
}

const APPLICATION: Names = Names {
    member: "AWSALB",
    application: "AWSALBAPP-0",
    cross_site: Some("AWSALBCORS"),
};
const CLASSIC: Names = Names {
    member: "AWSELB",
    application: "AWSELB",
    cross_site: None,
};
const GROUP: &str = "AWSALBTG";
const GROUP_CROSS_SITE: &str = "AWSALBTGCORS";

fn names(dialect: Dialect) -> &'static Names {
    match dialect {
        Dialect::AwsClassic => &CLASSIC,
        Dialect::AwsApplication | Dialect::AwsNetwork => &APPLICATION,
    }
}

/// The pool that a client stays with, if a rule's forwarding keeps it.
pub(crate) fn kept_pool<'a>(
    forward: &'a Forward,
    headers: &HeaderMap,
    seal: &Seal,
) -> Option<&'a Weighted> {
    forward.sticky?;
    let sealed = cookie(headers, GROUP).or_else(|| cookie(headers, GROUP_CROSS_SITE))?;
    let pool = unexpired(seal.open(GROUP, sealed)?)?;
    let is = |one: &&Weighted| one.pool.as_str() == pool && one.weight > 0;
    forward.pools.iter().find(is)
}

/// The member that a client stays with, if the pool keeps it and the member gets requests.
pub(crate) fn kept_member(
    pool: &Pool,
    dialect: Dialect,
    headers: &HeaderMap,
    seal: &Seal,
) -> Option<Arc<Member>> {
    let names = names(dialect);
    let name = match pool.words.conduct.stickiness.as_ref()? {
        Stickiness::Own { .. } => names.member,
        Stickiness::Application { cookie: own, .. } => {
            cookie(headers, own)?;
            names.application
        }
    };
    let other = || names.cross_site.and_then(|name| cookie(headers, name));
    let sealed = cookie(headers, name).or_else(other)?;
    let text = unexpired(seal.open(name, sealed)?)?;
    let (pool_id, address) = text.rsplit_once(' ')?;
    let address: SocketAddr = address.parse().ok()?;
    (pool_id == pool.words.id.as_str())
        .then(|| pool.seat(address).cloned())
        .flatten()
}

/// The text behind `<expiry> `, if that isn't past.
fn unexpired(text: String) -> Option<String> {
    let (expiry, rest) = text.split_once(' ')?;
    let expiry: u64 = expiry.parse().ok()?;
    (expiry > now()).then(|| rest.to_owned())
}

/// Has an answer tell the client to stay with its pool.
pub(crate) fn keep_pool(
    forward: &Forward,
    pool: &PoolId,
    client: &Client,
    headers: &mut HeaderMap,
) {
    let Some(seconds) = forward.sticky else {
        return;
    };
    let expiry = now() + u64::from(seconds);
    let text = format!("{expiry} {pool}");
    if let Some(sealed) = client.front.seal.seal(GROUP, &text) {
        set_pair(
            headers,
            GROUP,
            Some(GROUP_CROSS_SITE),
            &sealed,
            expiry,
            client,
        );
    }
}

/// Has an answer tell the client to stay with its member.
pub(crate) fn keep_member(
    pool: &Pool,
    member: &Member,
    was_kept: bool,
    dialect: Dialect,
    client: &Client,
    headers: &mut HeaderMap,
) {
    let names = names(dialect);
    let (name, seconds) = match &pool.words.conduct.stickiness {
        None => return,
        // A classic balancer's cookie holds from the first answer on.
        Some(Stickiness::Own { .. }) if was_kept && dialect == Dialect::AwsClassic => return,
        Some(Stickiness::Own { seconds }) => (names.member, *seconds),
        Some(Stickiness::Application { cookie, .. }) if !sets(headers, cookie) => return,
        Some(Stickiness::Application { seconds, .. }) => (names.application, *seconds),
    };
    let lasts = Some(u64::from(seconds)).filter(|seconds| *seconds > 0);
    let expiry = now() + lasts.unwrap_or(SESSION);
    let text = format!("{expiry} {} {}", pool.words.id, member.address);
    let Some(sealed) = client.front.seal.seal(name, &text) else {
        return;
    };
    if dialect == Dialect::AwsClassic {
        let age = lasts.map_or_else(String::new, |seconds| format!(";MAX-AGE={seconds}"));
        set(headers, format!("{name}={sealed};PATH=/{age}"));
    } else {
        let cross_site = names.cross_site.filter(|_| name == names.member);
        set_pair(headers, name, cross_site, &sealed, expiry, client);
    }
}

/// Whether an answer sets a cookie.
fn sets(headers: &HeaderMap, name: &str) -> bool {
    let named = |line: &HeaderValue| {
        let text = line.to_str().unwrap_or_default();
        text.split_once('=')
            .is_some_and(|(key, _)| key.trim() == name)
    };
    headers.get_all(SET_COOKIE).iter().any(named)
}

fn set_pair(
    headers: &mut HeaderMap,
    name: &str,
    cross_site: Option<&str>,
    sealed: &str,
    expiry: u64,
    client: &Client,
) {
    let until = calendar::http(expiry);
    set(headers, format!("{name}={sealed}; Expires={until}; Path=/"));
    if let Some(name) = cross_site {
        let secure = if client.tls.is_some() { "; Secure" } else { "" };
        let line = format!("{name}={sealed}; Expires={until}; Path=/; SameSite=None{secure}");
        set(headers, line);
    }
}

fn set(headers: &mut HeaderMap, line: String) {
    if let Ok(line) = HeaderValue::from_maybe_shared(line) {
        headers.append(SET_COOKIE, line);
    }
}

fn now() -> u64 {
    calendar::unix(SystemTime::now())
}

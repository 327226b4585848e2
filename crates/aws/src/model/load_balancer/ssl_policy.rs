//! Security policies: which protocols and ciphers a listener speaks.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html>

use super::*;

/// What a listener has unless told otherwise, when it is made by the API.
pub const DEFAULT: &str = "ELBSecurityPolicy-2016-08";

/// A security policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SslPolicy {
    /// Its name.
    pub name: &'static str,
    /// Its protocols, the best first.
    pub protocols: &'static [&'static str],
    ciphers: &'static [&'static [&'static str]],
}

const TLS13: &[&str] = &[
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];
/// Forward secrecy and authenticated encryption.
const RESTRICTED: &[&str] = &[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
];
/// Forward secrecy.
const FORWARD: &[&str] = &[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
];
/// Forward secrecy, SHA-1 too.
const FORWARD_SHA1: &[&str] = &[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-ECDSA-AES256-SHA",
];
const RSA: &[&str] = &[
    "AES128-GCM-SHA256",
    "AES128-SHA256",
    "AES256-GCM-SHA384",
    "AES256-SHA256",
];
const RSA_SHA1: &[&str] = &[
    "AES128-GCM-SHA256",
    "AES128-SHA256",
    "AES128-SHA",
    "AES256-GCM-SHA384",
    "AES256-SHA256",
    "AES256-SHA",
];

const V13: &[&str] = &["TLSv1.3"];
const V13_12: &[&str] = &["TLSv1.3", "TLSv1.2"];
const V12: &[&str] = &["TLSv1.2"];
const V12_11: &[&str] = &["TLSv1.2", "TLSv1.1"];
const V12_10: &[&str] = &["TLSv1.2", "TLSv1.1", "TLSv1"];

const fn policy(
    name: &'static str,
    protocols: &'static [&'static str],
    ciphers: &'static [&'static [&'static str]],
) -> SslPolicy {
    SslPolicy {
        name,
        protocols,
        ciphers,
    }
}

/// The policies, as AWS lists them.
pub const ALL: [SslPolicy; 17] = [
    policy(DEFAULT, V12_10, &[FORWARD_SHA1, RSA_SHA1]),
    policy("ELBSecurityPolicy-TLS-1-2-2017-01", V12, &[FORWARD, RSA]),
    policy(
        "ELBSecurityPolicy-TLS-1-1-2017-01",
        V12_11,
        &[FORWARD_SHA1, RSA_SHA1],
    ),
    policy(
        "ELBSecurityPolicy-TLS-1-2-Ext-2018-06",
        V12,
        &[FORWARD_SHA1, RSA_SHA1],
    ),
    policy("ELBSecurityPolicy-FS-2018-06", V12_10, &[FORWARD_SHA1]),
    policy(
        "ELBSecurityPolicy-2015-05",
        V12_10,
        &[FORWARD_SHA1, RSA_SHA1],
    ),
    policy("ELBSecurityPolicy-FS-1-2-Res-2019-08", V12, &[FORWARD]),
    policy("ELBSecurityPolicy-FS-1-1-2019-08", V12_11, &[FORWARD_SHA1]),
    policy("ELBSecurityPolicy-FS-1-2-2019-08", V12, &[FORWARD_SHA1]),
    policy("ELBSecurityPolicy-FS-1-2-Res-2020-10", V12, &[RESTRICTED]),
    policy(
        "ELBSecurityPolicy-TLS13-1-2-2021-06",
        V13_12,
        &[TLS13, FORWARD],
    ),
    policy("ELBSecurityPolicy-TLS13-1-3-2021-06", V13, &[TLS13]),
    policy(
        "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
        V13_12,
        &[TLS13, RESTRICTED],
    ),
    policy(
        "ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06",
        V13_12,
        &[TLS13, FORWARD, RSA],
    ),
    policy(
        "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06",
        V13_12,
        &[TLS13, FORWARD_SHA1, RSA_SHA1],
    ),
    policy(
        "ELBSecurityPolicy-TLS13-1-1-2021-06",
        &["TLSv1.3", "TLSv1.2", "TLSv1.1"],
        &[TLS13, FORWARD_SHA1, RSA_SHA1],
    ),
    policy(
        "ELBSecurityPolicy-TLS13-1-0-2021-06",
        &["TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1"],
        &[TLS13, FORWARD_SHA1, RSA_SHA1],
    ),
];

impl SslPolicy {
    /// Its ciphers by OpenSSL's names, the preferred first.
    pub fn ciphers(&self) -> impl Iterator<Item = &'static str> {
        self.ciphers.iter().copied().flatten().copied()
    }
}

/// The policy with a name.
///
/// # Errors
/// `SSLPolicyNotFound`.
pub fn find(name: &str) -> Result<&'static SslPolicy, Refusal> {
    ALL.iter()
        .find(|policy| policy.name == name)
        .ok_or_else(|| {
            Refusal::new(
                "SSLPolicyNotFound",
                format!("SSL policy '{name}' not found"),
            )
        })
}

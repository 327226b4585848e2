//! The versions of Kubernetes that EKS has.
//!
//! Retired ones can still be made here, from 1.14 on: examples that were written for them go on working.
//! <https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html>

use super::*;
use std::str::FromStr;

/// A minor version of Kubernetes 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(pub u8);

/// What a cluster gets that asks for none.
pub const DEFAULT: Version = Version(34);
/// The oldest that is taken.
const OLDEST: Version = Version(14);

/// What tells EKS's build of Kubernetes.
const BUILD: &str = "113cf36";

/// How far AWS stands by a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Fully.
    Standard,
    /// For money.
    Extended,
    /// No more.
    Unsupported,
}

/// What AWS says of a version; times in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Release {
    /// The version.
    pub version: Version,
    /// The number after its last dot.
    pub patch: u8,
    /// The number in its platform version, `eks.<number>`.
    pub platform: u8,
    /// When EKS first had it.
    pub released: i64,
    /// When standard support ends.
    pub standard_until: i64,
    /// When extended support ends.
    pub extended_until: i64,
    /// How far AWS stands by it, at the end of 2025.
    pub support: Support,
}

const fn release(minor: u8, patch: u8, platform: u8, days: [i64; 3], support: Support) -> Release {
    const DAY: i64 = 86_400;
    let [released, standard_until, extended_until] = days;
    Release {
        version: Version(minor),
        patch,
        platform,
        released: released * DAY,
        standard_until: standard_until * DAY,
        extended_until: extended_until * DAY,
        support,
    }
}

/// The versions that AWS tells about, the newest first; days are counted from 1970.
pub const RELEASES: [Release; 7] = [
    release(34, 1, 9, [20_363, 20_789, 21_154], Support::Standard),
    release(33, 5, 23, [20_237, 20_663, 21_028], Support::Standard),
    release(32, 9, 30, [20_111, 20_535, 20_900], Support::Standard),
    release(31, 13, 46, [19_992, 20_418, 20_783], Support::Extended),
    release(30, 14, 54, [19_866, 20_292, 20_657], Support::Extended),
    release(29, 15, 57, [19_745, 20_170, 20_535], Support::Extended),
    release(28, 15, 63, [19_626, 20_053, 20_418], Support::Unsupported),
];

impl Version {
    /// What AWS says of it; nothing of versions long gone.
    pub fn release(self) -> Option<&'static Release> {
        RELEASES.iter().find(|release| release.version == self)
    }

    /// The version of EKS's own parts of a control plane: `eks.9`.
    pub fn platform(self) -> String {
        format!(
            "eks.{}",
            self.release().map_or(1, |release| release.platform)
        )
    }

    /// The whole version: `1.34.1`.
    pub fn patched(self) -> String {
        format!(
            "{self}.{}",
            self.release().map_or(0, |release| release.patch)
        )
    }

    /// The version as control planes and nodes tell it, with EKS's build: `1.34.1-eks-113cf36`.
    pub fn build(self) -> String {
        format!("{}-eks-{BUILD}", self.patched())
    }

    /// The next one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

impl FromStr for Version {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let minor = text.strip_prefix("1.").and_then(|minor| minor.parse().ok());
        minor
            .map(Self)
            .filter(|version| (OLDEST..=DEFAULT).contains(version))
            .ok_or_else(|| invalid(format!("unsupported Kubernetes version {text}")))
    }
}

impl TryFrom<String> for Version {
    type Error = Refusal;

    fn try_from(text: String) -> Result<Self, Refusal> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-EKS: versions from 1.14 to the newest, and no other.
    #[test]
    fn versions_are_read() {
        for text in ["1.14", "1.28", "1.34"] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), text);
        }
        for text in ["1.13", "1.99", "2.1", "1.x", "", "1.34.1"] {
            let refusal = text.parse::<Version>().unwrap_err();
            assert_eq!(refusal.code, "InvalidParameterException", "{text}");
        }
        assert_eq!(DEFAULT.patched(), "1.34.1");
        assert_eq!(DEFAULT.build(), "1.34.1-eks-113cf36");
    }
}

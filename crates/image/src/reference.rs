//! Names of images, as Docker, containerd and Kubernetes read them: `nginx` is
//! `docker.io/library/nginx:latest`. <https://github.com/distribution/reference>

use crate::digest::Digest;
use cri::ImageError;
use std::fmt;

/// What a name without a registry belongs to.
const HUB: &str = "docker.io";
/// A repository's path is at most this long.
const LONGEST_PATH: usize = 255;

/// An image's name: a registry, a repository in it, and which of its images.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    domain: String,
    path: String,
    version: Version,
}

/// Which of a repository's images. Where a name has a tag and a digest the digest decides, and
/// containerd forgets the tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Whatever has this tag today.
    Tag(String),
    /// This and no other.
    Digest(Digest),
}

impl Reference {
    /// Reads a name.
    ///
    /// # Errors
    /// [`ImageError::InvalidName`].
    pub fn parse(name: &str) -> Result<Self, ImageError> {
        normalized(name).ok_or_else(|| ImageError::InvalidName(name.to_owned()))
    }

    /// The registry's name and port.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository in the registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Which image.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Registry and repository.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The digest, if it is named by one.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.version {
            Version::Digest(digest) => Some(digest),
            Version::Tag(_) => None,
        }
    }

    /// Another image of the same repository.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            version: Version::Digest(digest),
            ..self.clone()
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.path)?;
        match &self.version {
            Version::Tag(tag) => write!(f, ":{tag}"),
            Version::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

fn normalized(name: &str) -> Option<Reference> {
    // It would be taken for an image's id.
    if is_identifier(name) {
        return None;
    }
    let (domain, rest) = split_domain(name);
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => (rest, Some(Digest::parse(digest).ok()?)),
        None => (rest, None),
    };
    let (path, tag) = match rest.split_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (rest, None),
    };
    let path = if domain == HUB && !path.contains('/') {
        format!("library/{path}")
    } else {
        path.to_owned()
    };
    if !is_domain(domain) || !is_path(&path) || !tag.is_none_or(is_tag) {
        return None;
    }
    let version = match digest {
        Some(digest) => Version::Digest(digest),
        None => Version::Tag(tag.unwrap_or("latest").to_owned()),
    };
    Some(Reference {
        domain: domain.to_owned(),
        path,
        version,
    })
}

/// Whether the text is an id without its algorithm.
pub(crate) fn is_identifier(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The first part is a registry if it can't be a repository: it has a dot, a port or a capital, or is
/// `localhost`.
fn split_domain(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some(("index.docker.io", rest)) => (HUB, rest),
        Some((first, rest))
            if first == "localhost"
                || first.contains(['.', ':'])
                || first.bytes().any(|b| b.is_ascii_uppercase()) =>
        {
            (first, rest)
        }
        _ => (HUB, name),
    }
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => {
                let digits = |b: u8| b.is_ascii_hexdigit() || b == b':';
                if address.is_empty() || !address.bytes().all(digits) {
                    return false;
                }
                (None, port)
            }
            None => return false,
        },
        None => match domain.find(':') {
            Some(colon) => (Some(&domain[..colon]), &domain[colon..]),
            None => (Some(domain), ""),
        },
    };
    let port_is_fine = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    port_is_fine && host.is_none_or(|host| host.split('.').all(is_label))
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_path(path: &str) -> bool {
    path.len() <= LONGEST_PATH && path.split('/').all(is_component)
}

/// Lower-case words with one separator between two of them: a dot, one or two underscores, or dashes.
fn is_component(component: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    word(*first)
        && word(*last)
        && component
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|between| {
                matches!(between, "" | "." | "_" | "__") || between.bytes().all(|b| b == b'-')
            })
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Option<String> {
        Reference::parse(name).ok().map(|read| read.to_string())
    }

    #[test]
    fn names_are_completed() {
        let digest = format!("sha256:{}", "f".repeat(64));
        for (name, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27"),
            ("grafana/loki", "docker.io/grafana/loki:latest"),
            ("docker.io/nginx", "docker.io/library/nginx:latest"),
            ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/app:v1", "localhost:5000/app:v1"),
            ("test.com:8080/foo", "test.com:8080/foo:latest"),
            ("test_com/foo", "docker.io/test_com/foo:latest"),
            ("Foo/bar", "Foo/bar:latest"),
            ("192.168.0.1:80", "docker.io/library/192.168.0.1:80"),
            (
                "[fc00::1]:5000/docker/docker",
                "[fc00::1]:5000/docker/docker:latest",
            ),
            ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
            (
                "docker---rules/dock__er",
                "docker.io/docker---rules/dock__er:latest",
            ),
        ] {
            assert_eq!(read(name).as_deref(), Some(full), "{name}");
        }
        let both = format!("busybox:1.36@{digest}");
        let digested = format!("docker.io/library/busybox@{digest}");
        assert_eq!(read(&both), Some(digested.clone()));
        assert_eq!(read(&format!("busybox@{digest}")), Some(digested));
    }

    /// What the reference implementation's own tests call valid and invalid:
    /// <https://github.com/distribution/reference/blob/main/normalize_test.go>
    #[test]
    fn upstreams_examples_hold() {
        let identifier = "1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a";
        for name in [
            "docker/docker",
            "library/debian",
            "127.0.0.1:5000/library/debian",
            "192.168.0.1:8/debian",
            "thisisthesongthatneverendsitgoesonandonandonthisisthesongthatnev",
            "[fc00:1:2:3:4:5:6:7]:5000/library/debian",
            &format!("docker.io/{identifier}"),
            "DOCKER/docker",
            "xn--n3h.com/myimage:xn--n3h.com",
            "lowercase:Uppercase",
            &format!("{}a:tag-puts-this-over-max", "a/".repeat(127)),
        ] {
            assert!(read(name).is_some(), "{name}");
        }
        for name in [
            "https://github.com/docker/docker",
            "docker/Docker",
            "-docker",
            "-docker/docker",
            "docker-/docker",
            "-docker.io/docker/docker",
            "docker///docker",
            "docker.io/docker/Docker",
            "[fc00::1]",
            "[fc00::1]:5000",
            "fc00::1:5000/debian",
            "[fe80::1%eth0]:5000/debian",
            "[2001:db8:3:4::192.0.2.33]:5000/debian",
            identifier,
            "____/____",
            "_docker/_docker",
            "dock..er/docker",
            "dock_.er/docker",
            "dock-.er/docker",
            "docker/",
            "",
            ":justtag",
            "busybox:-foo",
            "repo@sha256:ffffffffffffffffffffffffffffffffff",
            "validname@invaliddigest:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "Uppercase:tag",
            "test:5000/Uppercase/lowercase:tag",
            "aa/asdf$$^/aa",
            &format!("{}a:tag", "a/".repeat(128)),
        ] {
            assert_eq!(
                Reference::parse(name),
                Err(ImageError::InvalidName(name.to_owned())),
                "{name}"
            );
        }
    }
}

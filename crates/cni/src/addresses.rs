//! Addresses of a node's range, given to containers and kept in files, as the well-known `host-local`
//! plugin keeps them: a file an address, named after it, with the container and its link inside.
//! <https://www.cni.dev/plugins/current/ipam/host-local/>

use ipnet::Ipv4Net;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// The file that says which address was given last.
const LAST: &str = "last_reserved_ip.0";

/// Why there is no address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// All are given.
    #[error("no IP addresses available in range set: {0}")]
    Exhausted(Ipv4Net),
    /// The store can't be used.
    #[error("{path}: {source}")]
    Store {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A node's addresses. The store is locked as long as this is held.
#[derive(Debug)]
pub struct Addresses {
    range: Ipv4Net,
    folder: PathBuf,
    _lock: Flock<File>,
}

fn store(path: &Path) -> impl FnOnce(io::Error) -> AddressError + '_ {
    move |source| AddressError::Store {
        path: path.to_owned(),
        source,
    }
}

impl Addresses {
    /// Opens the store of a range in a folder, and waits for whoever has it.
    ///
    /// # Errors
    /// The folder can't be used.
    pub fn open(folder: &Path, range: Ipv4Net) -> Result<Self, AddressError> {
        fs::create_dir_all(folder).map_err(store(folder))?;
        let path = folder.join("lock");
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(store(&path))?;
        let lock = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| store(&path)(errno.into()))?;
        Ok(Self {
            range,
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// The address that a container's link has, if it has one.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn of(&self, container: &str, link: &str) -> Result<Option<Ipv4Addr>, AddressError> {
        let owner = owner(container, link);
        let given = self.given()?.into_iter();
        let found = given.filter(|(_, text)| *text == owner);
        Ok(found.map(|(address, _)| address).next())
    }

    /// Gives a container's link an address, the same if it has one already. The next free one after the
    /// one that was given last is taken, so that an address rests before it comes back.
    ///
    /// # Errors
    /// There is none left.
    pub fn give(&self, container: &str, link: &str) -> Result<Ipv4Addr, AddressError> {
        if let Some(known) = self.of(container, link)? {
            return Ok(known);
        }
        // The network's own address, its first (a gateway's by custom) and the broadcast address are
        // nobody's.
        let first = u32::from(self.range.network()) + 2;
        let last = u32::from(self.range.broadcast()).saturating_sub(1);
        let after = fs::read_to_string(self.folder.join(LAST)).ok();
        let after = after.and_then(|text| text.trim().parse::<Ipv4Addr>().ok());
        let after = after.map_or(first.wrapping_sub(1), u32::from);
        let all = (after.max(first - 1).saturating_add(1)..=last).chain(first..=last.min(after));
        for address in all.map(Ipv4Addr::from) {
            if self.reserve(address, container, link)? {
                let path = self.folder.join(LAST);
                fs::write(&path, address.to_string()).map_err(store(&path))?;
                return Ok(address);
            }
        }
        Err(AddressError::Exhausted(self.range))
    }

    fn reserve(
        &self,
        address: Ipv4Addr,
        container: &str,
        link: &str,
    ) -> Result<bool, AddressError> {
        let path = self.folder.join(address.to_string());
        let made = OpenOptions::new().write(true).create_new(true).open(&path);
        match made {
            Ok(mut file) => {
                let written = file.write_all(owner(container, link).as_bytes());
                written.map_err(store(&path))?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(store(&path)(error)),
        }
    }

    /// Takes back the addresses of all for whom `gone` says so: container and link.
    ///
    /// # Errors
    /// The store can't be changed.
    pub fn take_back(
        &self,
        gone: impl Fn(&str, &str) -> bool,
    ) -> Result<Vec<(String, String)>, AddressError> {
        let mut taken = Vec::new();
        for (address, text) in self.given()? {
            let (container, link) = text.split_once("\r\n").unwrap_or((&text, ""));
            if gone(container, link) {
                let path = self.folder.join(address.to_string());
                fs::remove_file(&path).map_err(store(&path))?;
                taken.push((container.to_owned(), link.to_owned()));
            }
        }
        Ok(taken)
    }

    /// How many addresses are free.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn free(&self) -> Result<u32, AddressError> {
        let all = u32::from(self.range.broadcast()) - u32::from(self.range.network());
        let given = u32::try_from(self.given()?.len()).unwrap_or(u32::MAX);
        Ok(all.saturating_sub(2).saturating_sub(given))
    }

    fn given(&self) -> Result<Vec<(Ipv4Addr, String)>, AddressError> {
        let entries = fs::read_dir(&self.folder).map_err(store(&self.folder))?;
        let mut given = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name();
            if let Some(Ok(address)) = name.to_str().map(str::parse) {
                let path = entry.path();
                let text = fs::read_to_string(&path).map_err(store(&path))?;
                given.push((address, text));
            }
        }
        given.sort();
        Ok(given)
    }
}

fn owner(container: &str, link: &str) -> String {
    format!("{container}\r\n{link}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("skylab-cni-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn small() -> Ipv4Net {
        "10.244.3.0/29".parse().unwrap()
    }

    /// K8S-NET: each container has an address of its own; who asks again gets the same; an address rests
    /// before it comes back; when none is left, that is said.
    #[test]
    fn addresses_are_given_once() {
        let folder = Folder::new("once");
        let addresses = Addresses::open(&folder.0, small()).unwrap();
        assert_eq!(addresses.free().unwrap(), 5);
        let given: Vec<String> = (0..5)
            .map(|n| {
                addresses
                    .give(&format!("c{n}"), "eth0")
                    .unwrap()
                    .to_string()
            })
            .collect();
        assert_eq!(given[0], "10.244.3.2");
        assert_eq!(given[4], "10.244.3.6");
        assert_eq!(addresses.give("c1", "eth0").unwrap().to_string(), given[1]);
        let error = addresses.give("c9", "eth0").unwrap_err().to_string();
        assert!(error.contains("no IP addresses available"), "{error}");
        let gone = |container: &str, _: &str| container == "c1" || container == "c3";
        assert_eq!(addresses.take_back(gone).unwrap().len(), 2);
        assert_eq!(addresses.give("d", "eth0").unwrap().to_string(), given[1]);
        assert_eq!(addresses.give("e", "eth0").unwrap().to_string(), given[3]);
        assert_eq!(addresses.free().unwrap(), 0);
    }

    #[test]
    fn the_next_address_comes_after_the_last() {
        let folder = Folder::new("next");
        let addresses = Addresses::open(&folder.0, small()).unwrap();
        let first = addresses.give("a", "eth0").unwrap();
        addresses.take_back(|_, _| true).unwrap();
        let second = addresses.give("b", "eth0").unwrap();
        assert_ne!(first, second);
        assert_eq!(addresses.of("b", "eth0").unwrap(), Some(second));
        assert_eq!(addresses.of("a", "eth0").unwrap(), None);
    }

    /// Whoever comes while the store is in use waits.
    #[test]
    fn two_at_once_get_two_addresses() {
        let folder = Folder::new("two");
        let give = |name: &'static str| {
            let path = folder.0.clone();
            std::thread::spawn(move || {
                let addresses = Addresses::open(&path, small()).unwrap();
                addresses.give(name, "eth0").unwrap()
            })
        };
        let threads: Vec<_> = ["a", "b", "c", "d"].map(give).into_iter().collect();
        let mut given: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        given.sort();
        given.dedup();
        assert_eq!(given.len(), 4);
    }
}

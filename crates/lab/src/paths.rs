//! Where a lab keeps its things: the state directory and the files in it.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// What the names of kubeconfigs begin with.
const KUBECONFIG: &str = "kubeconfig-";

/// Why a state directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PathsError {
    /// Neither `--state` nor an environment that tells where a user's state goes.
    #[error("neither XDG_STATE_HOME nor HOME is set; name a state directory with --state DIR")]
    NoHome,
    /// The directory can't be made or looked at.
    #[error("the state directory {} can't be used: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// Others may write into it.
    #[error("the state directory {} can be entered by other users (mode {mode:o}); run: chmod 700 {}", path.display(), path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// A lab's state directory: everything a lab keeps lies in it, and it is the lab's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// The directory that a user named, or the user's own default one:
    /// `$XDG_STATE_HOME/skylab/default`, else `~/.local/state/skylab/default`. Nothing is made yet.
    ///
    /// # Errors
    /// The environment names no home, or the working directory is gone.
    pub fn choose(named: Option<&Path>) -> Result<Self, PathsError> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => default_path(|name| std::env::var_os(name).map(PathBuf::from))?,
        };
        let absolute = std::path::absolute(&path).map_err(|source| PathsError::Directory {
            path: path.clone(),
            source,
        })?;
        // The same directory must have one spelling, because the lab's command line names it.
        let root = absolute.canonicalize().unwrap_or_else(|_| {
            absolute
                .components()
                .filter(|part| *part != Component::CurDir)
                .collect()
        });
        Ok(Self { root })
    }

    /// Makes the directory, for its user alone, unless it is there.
    ///
    /// # Errors
    /// It can't be made, or other users can enter the one that is there.
    pub fn create(&self) -> Result<(), PathsError> {
        let failed = |source| PathsError::Directory {
            path: self.root.clone(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.root)
            .map_err(failed)?;
        let mode = self.root.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(PathsError::Open {
                path: self.root.clone(),
                mode,
            });
        }
        Ok(())
    }

    /// The directory itself, absolute.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The file whose lock says that a lab runs here.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.root.join("lab.sock")
    }

    /// The store.
    pub fn store(&self) -> PathBuf {
        self.root.join("store.redb")
    }

    /// The lab's keys and tokens.
    pub fn credentials(&self) -> PathBuf {
        self.root.join("credentials.json")
    }

    /// The private key of the lab's certificate authority.
    pub fn authority_key(&self) -> PathBuf {
        self.root.join("ca-key.pem")
    }

    /// The certificate of the lab's certificate authority.
    pub fn authority_certificate(&self) -> PathBuf {
        self.root.join("ca.pem")
    }

    /// The private key of the lab's load balancers, which signs what targets are told of users.
    pub fn balancer_key(&self) -> PathBuf {
        self.root.join("balancer-key.der")
    }

    /// The access logs of load balancers.
    pub fn access_logs(&self) -> PathBuf {
        self.root.join("access-logs")
    }

    /// The files that hold the lab's keys: with the store they are all that a lab is.
    pub fn keys(&self) -> [PathBuf; 4] {
        [
            self.credentials(),
            self.authority_key(),
            self.authority_certificate(),
            self.balancer_key(),
        ]
    }

    /// The kubeconfig that `skylab env kube` writes for a cluster.
    pub fn kubeconfig(&self, cluster: &str) -> PathBuf {
        self.root.join(format!("{KUBECONFIG}{cluster}"))
    }

    /// The kubeconfigs that were written.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn kubeconfigs(&self) -> io::Result<Vec<PathBuf>> {
        let entries = self.root.read_dir()?;
        let paths = entries.map(|entry| Ok(entry?.path()));
        let paths: io::Result<Vec<PathBuf>> = paths.collect();
        Ok(paths?
            .into_iter()
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                name.is_some_and(|name| name.starts_with(KUBECONFIG))
            })
            .collect())
    }

    /// The images that users imported, and those that clusters' nodes pulled.
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// The volumes of clusters.
    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// The log, one JSON object a line.
    pub fn log(&self) -> PathBuf {
        self.root.join("lab.log")
    }
}

fn default_path(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, PathsError> {
    let absolute = |name| variable(name).filter(|path: &PathBuf| path.is_absolute());
    let base = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .ok_or(PathsError::NoHome)?;
    Ok(base.join("skylab/default"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn default_follows_the_environment() {
        let home = |name: &str| (name == "HOME").then(|| PathBuf::from("/home/ada"));
        assert_eq!(
            default_path(home).unwrap(),
            Path::new("/home/ada/.local/state/skylab/default")
        );
        let state = |name: &str| (name == "XDG_STATE_HOME").then(|| PathBuf::from("/s"));
        assert_eq!(default_path(state).unwrap(), Path::new("/s/skylab/default"));
        assert!(matches!(default_path(|_| None), Err(PathsError::NoHome)));
    }

    #[test]
    fn made_for_its_user_alone() {
        let root = std::env::temp_dir().join(format!("skylab-paths-{}", std::process::id()));
        let state = StateDir::choose(Some(&root)).unwrap();
        state.create().unwrap();
        let mode = root.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(state.create(), Err(PathsError::Open { .. })));
        std::fs::remove_dir(&root).unwrap();
    }
}

//! The program of a `coredns` pod.

use crate::corefile::{Config, CorefileError, Imports};
use crate::follow::{PODS, WATCHED, Watched, follow};
use crate::random;
use crate::server::{Running, Trouble};
use crate::zone::Zone;
use kube_client::{Client, ConfigError};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// So long the server waits for the API before it answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where things are.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Corefile.
    pub corefile: PathBuf,
    /// The API, and who asks it.
    pub api: kube_client::Config,
}

impl Settings {
    /// As a pod's service account sees it.
    ///
    /// # Errors
    /// The program runs in no pod.
    pub fn in_cluster(corefile: PathBuf) -> Result<Self, ConfigError> {
        let api = kube_client::Config::in_cluster("coredns")?;
        Ok(Self { corefile, api })
    }
}

/// Why the program ends.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The Corefile can't be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The Corefile isn't understood.
    #[error("{0}")]
    Corefile(#[from] CorefileError),
    /// The API's certificate can't be used.
    #[error("{0}")]
    Api(#[from] ConfigError),
    /// An address can't be listened at, or name servers can't be found.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Questions that this server forwards come back to it.
    #[error(
        "plugin/loop: Seen \"{0}\" more than twice, loop detected, see https://coredns.io/plugins/loop#troubleshooting"
    )]
    Loop(String),
}

/// Serves a cluster's names until it is told to stop (`SIGTERM`, `SIGINT`).
///
/// # Errors
/// As [`RunError`] says.
pub async fn run(settings: Settings) -> Result<(), RunError> {
    let (mut text, config) = read(&settings.corefile)?;
    let mut stop = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let local = own_address(&settings.api).await;
    let zone = Arc::new(RwLock::new(Zone::new(local.into_iter().collect())));
    let client = Client::new(settings.api.clone())?;
    let mut pods = config.wants_pods();
    let watched = WATCHED.into_iter().chain(pods.then_some(PODS)).collect();
    let mut following = vec![Following::start(&client, &zone, watched)];
    if config.blocks.iter().any(|block| block.kubernetes.is_some()) {
        wait_for_api(&zone).await;
    }
    let mut lameduck = lameduck(&config);
    let mut reload = reload(&config);
    let mut running = Running::start(config, zone.clone()).await?;
    tracing::info!("CoreDNS as Skylab {} serves it", env!("CARGO_PKG_VERSION"));
    loop {
        tokio::select! {
            _ = stop.recv() => break,
            _ = interrupt.recv() => break,
            trouble = running.trouble() => return Err(match trouble {
                Trouble::Socket(error) => error.into(),
                Trouble::Loop(told) => RunError::Loop(told),
            }),
            () = pause(reload) => {}
        }
        let changed = match read(&settings.corefile) {
            Ok((new, _)) if new == text => continue,
            changed => changed,
        };
        let (new, config) = match changed {
            Ok(changed) => changed,
            Err(error) => {
                tracing::error!("Restart failed: {error}");
                running.count_failed_reload();
                continue;
            }
        };
        let (new_lameduck, new_reload) = (self::lameduck(&config), self::reload(&config));
        let new_pods = config.wants_pods();
        if let Err(error) = running.change(config).await {
            tracing::error!("Restart failed: {error}");
            running.count_failed_reload();
            continue;
        }
        if new_pods && !pods {
            following.push(Following::start(&client, &zone, vec![PODS]));
        }
        (text, pods) = (new, new_pods || pods);
        (lameduck, reload) = (new_lameduck, new_reload);
        tracing::info!("plugin/reload: Running configuration changed");
    }
    sleep(lameduck).await;
    drop(following);
    Ok(())
}

/// The task that follows the API, until this is dropped.
struct Following(JoinHandle<()>);

impl Following {
    fn start(client: &Client, zone: &Arc<RwLock<Zone>>, watched: Vec<Watched>) -> Self {
        Self(tokio::spawn(follow(client.clone(), zone.clone(), watched)))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn wait_for_api(zone: &RwLock<Zone>) {
    let complete = async {
        while !zone
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_complete()
        {
            sleep(Duration::from_millis(100)).await;
        }
    };
    if timeout(PATIENCE, complete).await.is_err() {
        tracing::warn!("plugin/kubernetes: starting server with unsynced Kubernetes API");
    }
}

/// The address that this pod has, seen from the way to the API.
async fn own_address(api: &kube_client::Config) -> Option<IpAddr> {
    let any = if api.host.contains(':') {
        "[::]:0"
    } else {
        "0.0.0.0:0"
    };
    let socket = UdpSocket::bind(any).await.ok()?;
    // Nothing is sent; the kernel chooses the address that would be used.
    socket.connect((api.host.as_str(), api.port)).await.ok()?;
    let address = socket.local_addr().ok()?.ip();
    Some(address).filter(|address| !address.is_loopback())
}

/// How long the server still answers after it was told to stop.
fn lameduck(config: &Config) -> Duration {
    let health = config.blocks.iter().filter_map(|block| block.health);
    health
        .map(|health| health.lameduck)
        .max()
        .unwrap_or_default()
}

/// How often the Corefile is looked at, if at all.
fn reload(config: &Config) -> Option<(Duration, Duration)> {
    let mut reloads = config.blocks.iter().filter_map(|block| block.reload);
    reloads
        .next()
        .map(|reload| (reload.interval, reload.jitter))
}

async fn pause(reload: Option<(Duration, Duration)>) {
    let Some((interval, jitter)) = reload else {
        return std::future::pending().await;
    };
    let spread = usize::try_from(jitter.as_millis()).unwrap_or(0);
    let more = u64::try_from(random::below(spread.saturating_add(1))).unwrap_or(0);
    sleep(interval + Duration::from_millis(more)).await;
}

/// Reads the Corefile and what it imports; the text is all of it, to see whether it changed.
fn read(path: &Path) -> Result<(String, Config), RunError> {
    let unreadable = |source| RunError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let disk = Disk::default();
    let config = Config::parse(&text, path, &disk)?;
    let imported = disk.read.into_inner();
    let imported = imported.unwrap_or_else(PoisonError::into_inner);
    Ok((text + &imported, config))
}

/// Imports from the disk, with all that was read.
#[derive(Default)]
struct Disk {
    read: std::sync::Mutex<String>,
}

impl Imports for Disk {
    fn files(&self, pattern: &Path) -> io::Result<Vec<(PathBuf, String)>> {
        let name = pattern.file_name().map(|name| name.to_string_lossy());
        let name = name.unwrap_or_default();
        let mut paths = vec![pattern.to_owned()];
        if name.contains('*') {
            // A directory that isn't there has no files.
            let beside = fs::read_dir(pattern.parent().unwrap_or(Path::new(".")));
            let entries = beside.into_iter().flatten().flatten();
            paths = entries
                .filter(|entry| matches(&name, &entry.file_name().to_string_lossy()))
                .map(|entry| entry.path())
                .collect();
            paths.sort();
        }
        let mut files = Vec::new();
        for path in paths {
            let text = fs::read_to_string(&path)?;
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.push_str(&text);
            drop(read);
            files.push((path, text));
        }
        Ok(files)
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// Whether a name is one of a pattern with stars.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(rest) = name.strip_prefix(before) else {
        return false;
    };
    (0..=rest.len())
        .filter(|at| rest.is_char_boundary(*at))
        .any(|at| matches(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        assert!(matches("*.override", "log.override"));
        assert!(matches("a*b*c", "a-b-b-c"));
        assert!(!matches("*.server", "log.override"));
        assert!(!matches("*.server", "a.server.bak"));
    }
}

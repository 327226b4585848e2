//! Sandboxes: made with their network, stopped, forgotten.

use crate::cni::{self, Attached, Attachment, Refused};
use crate::files;
use crate::hub::{Hub, Key, Watched, lock};
use crate::node::{Events, NodeRuntime, fresh_id, machine};
use cri::{Event, RuntimeError, Sandbox, SandboxId, SandboxSpec};
use kernel::container as place;
use nix::sys::epoll::EpollFlags;
use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// The files that all containers of a sandbox see, by their names in its directory and inside.
pub(crate) const SHARED_FILES: [(&str, &str); 3] = [
    ("hosts", "/etc/hosts"),
    ("hostname", "/etc/hostname"),
    ("resolv.conf", "/etc/resolv.conf"),
];

/// Where programs look for the certificates that they trust.
/// <https://go.dev/src/crypto/x509/root_linux.go>
pub(crate) const TRUST: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A sandbox, as it is kept.
pub(crate) struct SandboxRecord {
    pub(crate) id: SandboxId,
    pub(crate) spec: SandboxSpec,
    /// Its namespaces, until it is stopped.
    pub(crate) place: Mutex<Option<Arc<place::Sandbox>>>,
    /// Where its shared files are.
    pub(crate) directory: PathBuf,
    /// The certificates that its programs trust, where the node says so.
    pub(crate) trust: Option<PathBuf>,
    attached: Mutex<Option<Attached>>,
    address: Option<Ipv4Addr>,
    created: SystemTime,
    stopped: AtomicBool,
    /// Whether its first process has ended.
    ended: AtomicBool,
    key: Mutex<Option<Key>>,
    hub: Hub,
    events: Events,
    /// Held while it is being stopped.
    stopping: Mutex<()>,
}

impl SandboxRecord {
    /// As a kubelet sees it.
    pub(crate) fn shown(&self) -> Sandbox {
        let spec = &self.spec;
        Sandbox {
            id: self.id.clone(),
            namespace: spec.namespace.clone(),
            name: spec.name.clone(),
            uid: spec.uid.clone(),
            attempt: spec.attempt,
            ready: !self.stopped.load(Ordering::Acquire) && !self.ended.load(Ordering::Acquire),
            address: self.address,
            created: self.created,
        }
    }

    fn watch(self: &Arc<Self>) -> Result<(), RuntimeError> {
        let place = lock(&self.place);
        let Some(place) = &*place else { return Ok(()) };
        let interest = EpollFlags::EPOLLIN;
        let descriptor = place.first_process().as_fd();
        let key = self.hub.watch(descriptor, interest, self.clone(), 0);
        *lock(&self.key) = Some(key.map_err(machine("watching a sandbox"))?);
        Ok(())
    }

    /// Watches it no more.
    fn forget(&self, place: &place::Sandbox) {
        if let Some(key) = lock(&self.key).take() {
            self.hub.forget(place.first_process().as_fd(), key);
        }
    }
}

impl Watched for SandboxRecord {
    fn ready(self: Arc<Self>, _: u64, _: EpollFlags) {
        let place = lock(&self.place).clone();
        let Some(place) = place else { return };
        if matches!(place.first_process().look(), Ok(None)) {
            return;
        }
        self.forget(&place);
        self.ended.store(true, Ordering::Release);
        if !self.stopped.load(Ordering::Acquire) {
            self.events.tell(&Event::SandboxEnded(self.id.clone()));
        }
    }
}

impl NodeRuntime {
    pub(crate) fn make_sandbox(&self, spec: &SandboxSpec) -> Result<Sandbox, RuntimeError> {
        let id = SandboxId(fresh_id()?);
        let own_network = !spec.spaces.host_network && !self.options.one_pod;
        let network = match own_network {
            true => Some(cni::network(&self.options.guest).ok_or(RuntimeError::NoNetwork)?),
            false => None,
        };
        let made = self.options.guest.sandbox(&asked(&id, spec, own_network));
        let place = Arc::new(made.map_err(|error| RuntimeError::Machine(error.to_string()))?);
        let attached = match &network {
            Some(network) => Some(self.attach(&id, spec, network, &place)?),
            None => None,
        };
        let result = attached.as_ref().and_then(Attached::result);
        let address = match own_network {
            true => result.and_then(cni::address),
            false => self.options.address,
        };
        let record = Arc::new(SandboxRecord {
            directory: self.options.directory.join(&id.0),
            trust: self.options.trust.clone(),
            spec: spec.clone(),
            place: Mutex::new(Some(place)),
            attached: Mutex::new(attached),
            address,
            created: SystemTime::now(),
            stopped: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            key: Mutex::new(None),
            hub: self.options.hub.clone(),
            events: self.events.clone(),
            stopping: Mutex::new(()),
            id,
        });
        let settled = self.write_files(&record).and_then(|()| record.watch());
        if let Err(error) = settled {
            // It says why; what else fails is its consequence.
            let _ = self.forget_sandbox(&record);
            return Err(error);
        }
        lock(&self.sandboxes).insert(record.id.clone(), record.clone());
        Ok(record.shown())
    }

    /// Calls the network's plugins; where they fail, they take back what they made.
    fn attach(
        &self,
        id: &SandboxId,
        spec: &SandboxSpec,
        network: &cni::NetworkList,
        place: &place::Sandbox,
    ) -> Result<Attached, RuntimeError> {
        let guest = &*self.options.guest;
        if !self.collected.swap(true, Ordering::AcqRel) {
            let known: Vec<_> = lock(&self.sandboxes).keys().cloned().collect();
            let known = known.iter().map(|id| id.0.as_str());
            if let Err(refused) = cni::collect(guest, network, known) {
                tracing::warn!(
                    plugin = refused.plugin,
                    why = refused.message,
                    "no garbage collected"
                );
            }
        }
        let attachment = attachment(id, spec, place);
        cni::add(guest, network, &attachment).map_err(|refused| {
            if let Err(again) = Attached::half(network, &attachment).delete(guest) {
                tracing::warn!(plugin = again.plugin, why = again.message, "not taken back");
            }
            failed(id, "add", refused)
        })
    }

    fn write_files(&self, record: &SandboxRecord) -> Result<(), RuntimeError> {
        let spec = &record.spec;
        let nodes = |path: &str| {
            let text = self.options.guest.files().read(Path::new(path));
            String::from_utf8_lossy(&text.unwrap_or_default()).into_owned()
        };
        let shared = spec.spaces.host_network;
        let texts = [
            if shared {
                files::nodes_hosts(spec, &nodes("/etc/hosts"))
            } else {
                files::hosts(spec, record.address)
            },
            if shared {
                nodes("/etc/hostname")
            } else {
                format!("{}\n", spec.hostname)
            },
            files::resolver(&spec.dns).unwrap_or_else(|| nodes("/etc/resolv.conf")),
        ];
        let written = fs::create_dir_all(&record.directory).and_then(|()| {
            let mut files = SHARED_FILES.iter().zip(texts);
            files.try_for_each(|((name, _), text)| fs::write(record.directory.join(name), text))
        });
        written.map_err(machine("a sandbox's files"))
    }

    /// Ends a sandbox's containers, then its network, then itself.
    pub(crate) fn end_sandbox(&self, record: &SandboxRecord) -> Result<(), RuntimeError> {
        let _one_at_a_time = lock(&record.stopping);
        record.stopped.store(true, Ordering::Release);
        for container in self.containers_of(&record.id) {
            container.stop(Duration::ZERO)?;
        }
        // Kept until its plugins have taken down what they made.
        let attached = lock(&record.attached).clone();
        if let Some(attached) = attached
            && self.trouble_with_node().is_none()
        {
            let guest = &*self.options.guest;
            let deleted = attached.delete(guest);
            deleted.map_err(|refused| failed(&record.id, "delete", refused))?;
        }
        *lock(&record.attached) = None;
        let place = lock(&record.place).take();
        if let Some(place) = place {
            record.forget(&place);
            place.end().map_err(machine("ending a sandbox"))?;
        }
        Ok(())
    }

    /// With the node its plugins' work is gone.
    fn trouble_with_node(&self) -> Option<String> {
        cri::Runtime::trouble(self)
    }

    /// Stops a sandbox and forgets it with its containers.
    pub(crate) fn forget_sandbox(&self, record: &SandboxRecord) -> Result<(), RuntimeError> {
        self.end_sandbox(record)?;
        for container in self.containers_of(&record.id) {
            container.discard();
            lock(&self.containers).remove(&container.id);
        }
        match fs::remove_dir_all(&record.directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, sandbox = %record.id, "a sandbox's files stay");
            }
            _ => {}
        }
        lock(&self.sandboxes).remove(&record.id);
        Ok(())
    }

    /// Asks a sandbox's network plugins whether all is as they made it.
    ///
    /// # Errors
    /// It isn't, or there is no such sandbox.
    pub fn check_network(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        let record = self.sandbox_record(id);
        let record = record.ok_or_else(|| RuntimeError::NoSandbox(id.clone()))?;
        let attached = lock(&record.attached).clone();
        let Some(attached) = attached else {
            return Ok(());
        };
        let checked = attached.check(&*self.options.guest);
        checked.map_err(|refused| failed(id, "check", refused))
    }
}

fn failed(id: &SandboxId, command: &'static str, refused: Refused) -> RuntimeError {
    RuntimeError::Network {
        sandbox: id.0.clone(),
        plugin: refused.plugin,
        command,
        message: refused.message,
    }
}

/// What the machine is asked for.
fn asked(id: &SandboxId, spec: &SandboxSpec, own_network: bool) -> place::SandboxSpec {
    // The name that containerd gives a sandbox's network: a UUID.
    let digits = &id.0;
    let name = format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..32]
    );
    place::SandboxSpec {
        name,
        hostname: own_network.then(|| spec.hostname.clone()),
        node_ipc: spec.spaces.host_ipc,
        shared_pids: spec.spaces.shared_pid && !spec.spaces.host_pid,
        switches: spec.sysctls.clone(),
    }
}

fn attachment(id: &SandboxId, spec: &SandboxSpec, place: &place::Sandbox) -> Attachment {
    let path = place.network_path().map(|path| path.display().to_string());
    Attachment {
        sandbox: id.0.clone(),
        namespace: path.unwrap_or_default(),
        words: vec![
            ("IgnoreUnknown", "1".to_owned()),
            ("K8S_POD_NAMESPACE", spec.namespace.clone()),
            ("K8S_POD_NAME", spec.name.clone()),
            ("K8S_POD_INFRA_CONTAINER_ID", id.0.clone()),
            ("K8S_POD_UID", spec.uid.clone()),
        ],
        asked: cni::asked(spec),
    }
}

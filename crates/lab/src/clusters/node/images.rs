//! A node's images: this machine's own files, what users imported, and what it pulled.

use crate::caller::Lookup;
use crate::http::registry::MACHINE;
use crate::{names, proxy};
use cri::{Credentials, Image, ImageError, Images};
use image::NodeImages;
use kernel::NetNs;
use runtime::{ImageConfig, ImageFiles, ImageRoot, RootSource, host_image, is_host_image};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A registry that doesn't take a connection within this time is unreachable.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who knows a registry's password beside pods' secrets: a node's role, for the cloud's own registry.
pub(in crate::clusters) trait RegistryLogin: Send + Sync {
    /// What to show to a registry, if it is one that this is for. May wait.
    fn credentials(&self, domain: &str) -> Option<Credentials>;
}

/// A node's images.
pub(super) struct LabImages {
    pub(super) images: NodeImages,
    pub(super) login: Option<Arc<dyn RegistryLogin>>,
}

impl LabImages {
    /// What the node itself shows to an image's registry.
    fn own(&self, reference: &str) -> Option<Credentials> {
        let login = self.login.as_ref()?;
        login.credentials(reference.split('/').next()?)
    }
}

impl Images for LabImages {
    fn pull(&self, reference: &str, credentials: &[Credentials]) -> Result<Image, ImageError> {
        if is_host_image(reference) {
            return Ok(host_image());
        }
        let mut all = credentials.to_vec();
        all.extend(self.own(reference));
        self.images.pull(reference, &all)
    }

    fn find(&self, reference: &str) -> Option<Image> {
        if is_host_image(reference) {
            return Some(host_image());
        }
        self.images.find(reference)
    }

    fn list(&self) -> Vec<Image> {
        let mut images = vec![host_image()];
        images.extend(self.images.list());
        images
    }

    fn remove(&self, reference: &str) -> Result<(), ImageError> {
        if is_host_image(reference) {
            // The machine's files stay where they are.
            return Ok(());
        }
        self.images.remove(reference)
    }
}

impl RootSource for LabImages {
    fn root(&self, reference: &str) -> Result<Option<ImageRoot>, String> {
        let found = self.images.unpacked(reference);
        let Some(unpacked) = found.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let id = self.images.find(reference).map(|image| image.id.0);
        let (label, machine) = MACHINE;
        let is_machine = unpacked.config.labels.get(label).map(String::as_str) == Some(machine);
        if is_machine {
            return Ok(Some(ImageRoot {
                id: id.unwrap_or_default(),
                files: ImageFiles::Machine,
                config: ImageConfig {
                    environment: crate::guests::environment(),
                    ..ImageConfig::default()
                },
                hold: Some(Arc::new(unpacked)),
            }));
        }
        let config = ImageConfig {
            entrypoint: unpacked.config.entrypoint.clone(),
            command: unpacked.config.cmd.clone(),
            environment: unpacked.config.env.clone(),
            working_dir: unpacked.config.working_dir.clone(),
            user: unpacked.config.user.clone(),
            stop_signal: unpacked.config.stop_signal.clone(),
        };
        Ok(Some(ImageRoot {
            id: id.unwrap_or_default(),
            files: ImageFiles::Layers(unpacked.layers.clone()),
            config,
            hold: Some(Arc::new(unpacked)),
        }))
    }
}

/// Connections to registries, from the node's network.
pub(super) struct NodeDial {
    pub(super) network: Arc<NetNs>,
    pub(super) lookup: Lookup,
}

impl image::Dial for NodeDial {
    fn dial(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let address = match &self.lookup {
            Lookup::Internet(cloud) => proxy::look_up(cloud, host)
                .map_err(|_| io::Error::other(format!("lookup {host}: no such host")))?,
            Lookup::Server(server) => self.network.run(|| names::ask(*server, host))??,
        };
        let to = SocketAddr::from((address, port));
        self.network
            .run(|| TcpStream::connect_timeout(&to, PATIENCE))?
    }
}

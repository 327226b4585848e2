//! A node's images: this machine's own files, what users imported, and what it pulled.

use super::amazon;
use crate::caller::Lookup;
use crate::{names, proxy};
use cri::{Credentials, Image, ImageError, Images};
use image::{Dial, NodeImages};
use kernel::NetNs;
use runtime::{
    ImageConfig, ImageFiles, ImageRoot, RootSource, host_image, host_root, is_host_image,
};
use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A registry that doesn't take a connection within this time is unreachable.
const PATIENCE: Duration = Duration::from_secs(10);
/// The port of registries.
const HTTPS: u16 = 443;

/// A node's images.
pub(super) struct LabImages {
    images: NodeImages,
    dial: Arc<NodeDial>,
    /// Amazon's own that were pulled.
    amazon: Mutex<BTreeSet<String>>,
}

impl LabImages {
    pub(super) fn new(images: NodeImages, dial: Arc<NodeDial>) -> Self {
        Self {
            images,
            dial,
            amazon: Mutex::default(),
        }
    }

    fn amazon(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.amazon.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Images for LabImages {
    fn pull(&self, reference: &str, credentials: &[Credentials]) -> Result<Image, ImageError> {
        if is_host_image(reference) {
            return Ok(host_image());
        }
        if let Some(registry) = amazon::registry(reference) {
            let reached = self.dial.dial(registry, HTTPS);
            let failed = |error: io::Error| {
                let why = format!("failed to do request: Head \"https://{registry}/v2/\": {error}");
                ImageError::Unavailable(reference.to_owned(), why)
            };
            reached.map_err(failed)?;
            self.amazon().insert(reference.to_owned());
            return Ok(host_image());
        }
        self.images.pull(reference, credentials)
    }

    fn find(&self, reference: &str) -> Option<Image> {
        if is_host_image(reference) || self.amazon().contains(reference) {
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
        if self.amazon().remove(reference) {
            return Ok(());
        }
        self.images.remove(reference)
    }
}

impl RootSource for LabImages {
    fn root(&self, reference: &str) -> Result<Option<ImageRoot>, String> {
        if self.amazon().contains(reference) {
            return Ok(Some(host_root(&crate::guests::environment())));
        }
        let found = self.images.unpacked(reference);
        let Some(unpacked) = found.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let id = self.images.find(reference).map(|image| image.id.0);
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

impl Dial for NodeDial {
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

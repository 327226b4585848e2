//! Making a container and starting it.

use super::act::Work;
use crate::container::{Plans, hosts, references};
use crate::fields::Facts;
use crate::lifecycle::StartFailure;
use crate::pod::{Container, Pod};
use crate::volume;
use cri::{ContainerId, Image, SandboxId};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What an environment refers to may be this old.
const FRESH: Duration = Duration::from_secs(1);

type Objects = BTreeMap<(&'static str, String), Arc<Value>>;

/// Makes a container in a sandbox and starts it.
pub(super) async fn start(
    work: &Work,
    name: &str,
    attempt: u32,
    image: &Image,
    sandbox: SandboxId,
) -> Result<ContainerId, StartFailure> {
    let pod = &work.pod;
    let Some((role, container)) = pod.container(name) else {
        return Err(StartFailure::Config(format!("container {name} not found")));
    };
    let address = work.seen.sandbox().and_then(|sandbox| sandbox.address);
    let objects = objects(work, container)
        .await
        .map_err(StartFailure::Config)?;
    let services = services(work).await.map_err(StartFailure::Config)?;
    let config = &work.shared.config;
    let plans = Plans {
        config,
        facts: Facts {
            pod,
            address,
            host: config.address,
            allocatable: config.allocatable,
        },
        room: &work.room,
        belongings: &work.belongings,
        objects: &objects,
        services: &services,
        image,
        attempt,
    };
    let planned = plans.container(role, container);
    let (mut spec, parts) = planned.map_err(StartFailure::Config)?;
    files(work, name, attempt, address)
        .await
        .map_err(StartFailure::Create)?;
    let begun = work.shared.blocking(move |means| {
        for part in parts {
            let found = volume::part(&part, &*means.files);
            spec.mounts[part.mount].source = found.map_err(StartFailure::Config)?;
        }
        let created = means.runtime.create_container(&sandbox, &spec);
        let id = created.map_err(|error| StartFailure::Create(error.to_string()))?;
        let started = means.runtime.start_container(&id);
        started.map_err(|error| StartFailure::Run(error.to_string()))?;
        Ok(id)
    });
    begun
        .await
        .unwrap_or_else(|| Err(StartFailure::Create("the runtime failed".to_owned())))
}

/// The config maps and secrets that a container's environment refers to.
async fn objects(work: &Work, container: &Container) -> Result<Objects, String> {
    let namespace = &work.pod.metadata.namespace;
    let mut objects = Objects::new();
    for (kind, name, _) in references(container) {
        let key = (kind, name.to_owned());
        if objects.contains_key(&key) {
            continue;
        }
        let path = format!("/api/v1/namespaces/{namespace}/{kind}s/{name}");
        match work.shared.library.get(&path, FRESH).await {
            Ok(object) => {
                objects.insert(key, object);
            }
            // Whether it may be missing, its variable says.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(objects)
}

/// The services that a pod is told of.
async fn services(work: &Work) -> Result<Vec<Arc<Value>>, String> {
    let pod = &work.pod;
    let mut namespaces = vec!["default"];
    let own = pod.metadata.namespace.as_str();
    if own != "default" && pod.spec.enable_service_links.unwrap_or(true) {
        namespaces.push(own);
    }
    let mut all = Vec::new();
    for namespace in namespaces {
        let path = format!("/api/v1/namespaces/{namespace}/services");
        let list = work.shared.library.get(&path, FRESH).await;
        let list = list.map_err(|error| error.to_string())?;
        let items = list["items"].as_array().into_iter().flatten();
        all.extend(items.cloned().map(Arc::new));
    }
    Ok(all)
}

/// The files that the kubelet itself keeps for a container.
async fn files(
    work: &Work,
    name: &str,
    attempt: u32,
    address: Option<Ipv4Addr>,
) -> Result<(), String> {
    let (pod, room) = (work.pod.clone(), work.room.clone());
    let domain = work.shared.config.cluster_domain.clone();
    let name = name.to_owned();
    let made = work.shared.blocking(move |means| {
        let own = if pod.spec.host_network {
            means.files.read(hosts::PATH.as_ref()).unwrap_or_default()
        } else {
            Vec::new()
        };
        let text = hosts_of(&pod, address, &domain, &own);
        fs::create_dir_all(room.root())?;
        write(&room.hosts(), &text, 0o644)?;
        let log = room.log(&name, attempt);
        if let Some(above) = log.parent() {
            fs::create_dir_all(above)?;
        }
        let words = room.last_words(&name, attempt);
        if let Some(above) = words.parent() {
            fs::create_dir_all(above)?;
        }
        File::create(&words)?;
        fs::set_permissions(&words, Permissions::from_mode(0o666))
    });
    match made.await {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("the node's files can't be made".to_owned()),
    }
}

fn hosts_of(pod: &Pod, address: Option<Ipv4Addr>, domain: &str, own: &[u8]) -> String {
    match address {
        Some(address) if !pod.spec.host_network => hosts::of(pod, address, domain),
        _ => hosts::of_node(pod, &String::from_utf8_lossy(own)),
    }
}

/// Writes a file in place, since containers have it mounted.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    fs::write(path, text)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

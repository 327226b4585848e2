//! What a container shall be, as its runtime is told.

pub(crate) mod dns;
mod env;
mod expand;
pub(crate) mod hosts;
mod limits;
mod mounts;
pub(crate) mod sandbox;
mod security;
mod services;

use crate::config::KubeletConfig;
use crate::fields::Facts;
use crate::pod::{Container, Role};
use crate::room::Room;
use crate::volume::Belongings;
use cri::{ContainerSpec, Image, Mount};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use env::references;
pub(crate) use mounts::Part;

/// What a container's specification is made from.
#[derive(Debug)]
pub(crate) struct Plans<'a> {
    pub(crate) config: &'a KubeletConfig,
    pub(crate) facts: Facts<'a>,
    pub(crate) room: &'a Room,
    pub(crate) belongings: &'a Belongings,
    /// The config maps and secrets that its environment refers to, by kind and name.
    pub(crate) objects: &'a BTreeMap<(&'static str, String), Arc<Value>>,
    /// The services of its namespace, and the API's own.
    pub(crate) services: &'a [Arc<Value>],
    pub(crate) image: &'a Image,
    pub(crate) attempt: u32,
}

impl Plans<'_> {
    /// The specification, and which of its mounts are parts of volumes.
    ///
    /// # Errors
    /// It can't be told; the message is that of `CreateContainerConfigError`.
    pub(crate) fn container(
        &self,
        role: Role,
        container: &Container,
    ) -> Result<(ContainerSpec, Vec<Part>), String> {
        let pod = self.facts.pod;
        let env = self.env(container)?;
        let variables: BTreeMap<&str, &str> =
            env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let expanded = |texts: &[String]| -> Vec<String> {
            let texts = texts.iter();
            texts.map(|text| expand::expand(text, &variables)).collect()
        };
        let (mut mounts, parts) = self.mounts(container, &variables)?;
        mounts.extend(self.own_mounts(container));
        let security = &container.security_context;
        let spec = ContainerSpec {
            name: container.name.clone(),
            attempt: self.attempt,
            image: container.image.clone(),
            command: expanded(&container.command),
            args: expanded(&container.args),
            working_dir: Some(container.working_dir.clone()).filter(|dir| !dir.is_empty()),
            mounts,
            user: security::user(pod, container, self.image)?,
            privileged: security.privileged,
            capabilities: cri::Capabilities {
                add: security.capabilities.add.clone(),
                drop: security.capabilities.drop.clone(),
            },
            read_only_root: security.read_only_root_filesystem,
            no_new_privileges: security.allow_privilege_escalation == Some(false),
            resources: limits::of(pod, role, container, self.config.capacity.memory),
            stdin: container.stdin,
            stdin_once: container.stdin_once,
            terminal: container.tty,
            log: Some(self.room.log(&container.name, self.attempt)),
            env,
        };
        Ok((spec, parts))
    }

    /// The files that the kubelet itself keeps for a container.
    fn own_mounts(&self, container: &Container) -> Vec<Mount> {
        let own = |source, target: &str| Mount {
            source: cri::MountSource::Kubelet(source),
            target: target.into(),
            read_only: false,
            propagation: cri::Propagation::Private,
        };
        let taken = |target: &str| {
            let mut mounts = container.volume_mounts.iter();
            mounts.any(|mount| mount.mount_path.trim_end_matches('/') == target)
        };
        let mut mounts = Vec::new();
        if !taken(hosts::PATH) {
            mounts.push(own(self.room.hosts(), hosts::PATH));
        }
        let words = &container.termination_message_path;
        if !words.is_empty() && !taken(words) {
            mounts.push(own(
                self.room.last_words(&container.name, self.attempt),
                words,
            ));
        }
        mounts
    }
}

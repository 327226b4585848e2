//! A make-believe node, and an agent on it.

use crate::cloud::Cloud;
use crate::surround::{around, folder, settings, words};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};
use vpc_cni::agent::{Agent, EniConfig, NodeWords, Notice};
use vpc_cni::host::{Host, HostError, Link};
use vpc_cni::rpc::VERSION;
use vpc_cni::rpc::message::*;
use vpc_cni::rpc::server::Backend;
use vpc_cni::settings::Settings;

/// Remembers what is done to it.
#[derive(Debug, Default)]
pub(crate) struct Pretended {
    pub(crate) links: Mutex<Vec<Link>>,
    pub(crate) names: Mutex<Vec<String>>,
    pub(crate) forgotten: Mutex<Vec<Ipv4Addr>>,
}

impl Host for Pretended {
    fn set_up(&self, _: &str, _: &Settings) -> Result<(), HostError> {
        Ok(())
    }
    fn add_link(&self, link: &Link, _: u16) -> Result<(), HostError> {
        self.links.lock().unwrap().push(link.clone());
        Ok(())
    }
    fn remove_link(&self, link: &Link) -> Result<(), HostError> {
        self.links.lock().unwrap().retain(|one| one != link);
        Ok(())
    }
    fn set_egress(&self, _: Ipv4Addr, _: &[Ipv4Net], _: &Settings) -> Result<(), HostError> {
        Ok(())
    }
    fn links(&self) -> Result<Vec<String>, HostError> {
        Ok(self.names.lock().unwrap().clone())
    }
    fn forget_pod(&self, address: Ipv4Addr) -> Result<(), HostError> {
        self.forgotten.lock().unwrap().push(address);
        Ok(())
    }
}

/// A node: what outlives its agent.
pub(crate) struct Node {
    pub(crate) cloud: Cloud,
    pub(crate) host: Arc<Pretended>,
    pub(crate) folder: PathBuf,
    pub(crate) words: watch::Sender<NodeWords>,
    pub(crate) told: Mutex<Option<mpsc::UnboundedReceiver<Notice>>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Node {
    pub(crate) async fn new(instance_type: &str) -> Self {
        let limits = vpc_cni::limits::max_pods(instance_type).unwrap();
        Self {
            cloud: Cloud::new(instance_type).await,
            host: Arc::default(),
            folder: folder(),
            words: watch::channel(words(limits)).0,
            told: Mutex::new(None),
        }
    }

    /// Starts an agent.
    pub(crate) async fn agent(&self, variables: &[(&str, &str)]) -> Agent<Pretended> {
        let (around, told) = around(&self.cloud, self.host.clone(), self.words.subscribe());
        *self.told.lock().unwrap() = Some(told);
        let settings = settings(&self.folder, variables);
        Agent::start(settings, around).await.unwrap()
    }

    pub(crate) fn eni_config(&self, subnet: &str) {
        self.words.send_modify(|words| {
            words.eni_config = Some(EniConfig {
                name: "default".to_owned(),
                subnet: subnet.to_owned(),
                groups: vec!["sg-9".to_owned()],
            });
        });
    }
}

pub(crate) fn asks(pod: &str) -> AddNetworkRequest {
    AddNetworkRequest {
        pod: pod.to_owned(),
        namespace: "default".to_owned(),
        container: format!("c-{pod}"),
        link: "eth0".to_owned(),
        network: "aws-cni".to_owned(),
        version: VERSION.to_owned(),
        ..AddNetworkRequest::default()
    }
}

pub(crate) async fn add(agent: &Agent<Pretended>, pod: &str) -> Option<Assignment> {
    let reply = agent.add(asks(pod)).await.unwrap();
    reply.assignments.first().copied()
}

pub(crate) async fn delete(agent: &Agent<Pretended>, pod: &str) {
    let request = DelNetworkRequest {
        container: format!("c-{pod}"),
        link: "eth0".to_owned(),
        ..DelNetworkRequest::default()
    };
    agent.delete(request).await.unwrap();
}

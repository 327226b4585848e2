//! `skylab kube`: plain Kubernetes clusters.

use super::env;
use crate::args::{Kube, Node};
use crate::failure::Failure;
use lab::clusters::{ClusterInfo, KubeUser, Kubeconfig};
use lab::control::{self, ControlError, KubeRequest, Reply, Request};
use lab::paths::StateDir;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(crate) fn run(state: &StateDir, kube: Kube) -> Result<u8, Failure> {
    match kube {
        Kube::Create {
            name,
            nodes,
            kubeconfig,
        } => create(state, &name, nodes, kubeconfig.as_deref())?,
        Kube::List { json } => list(&clusters(state, KubeRequest::List)?, json),
        Kube::Delete { name } => {
            clusters(state, KubeRequest::Delete(name.clone()))?;
            println!("Cluster {name} is gone.");
        }
        Kube::Node(Node::Stop { cluster, node }) => {
            switch(state, &cluster, &node, false)?;
            println!("Node {node} is off.");
        }
        Kube::Node(Node::Start { cluster, node }) => {
            switch(state, &cluster, &node, true)?;
            println!("Node {node} is on.");
        }
    }
    Ok(0)
}

fn switch(state: &StateDir, cluster: &str, node: &str, on: bool) -> Result<(), ControlError> {
    let request = KubeRequest::Node {
        cluster: cluster.to_owned(),
        node: node.to_owned(),
        on,
    };
    clusters(state, request).map(drop)
}

fn create(state: &StateDir, name: &str, nodes: usize, file: Option<&Path>) -> Result<(), Failure> {
    let made = clusters(
        state,
        KubeRequest::Create {
            name: name.to_owned(),
            nodes,
        },
    )?;
    for cluster in &made {
        println!(
            "Cluster {} serves {} in the lab.",
            cluster.name, cluster.server
        );
    }
    if let Some(path) = file {
        write(path, &text(state, name)?).map_err(|error| {
            Failure::new(1, format!("{} can't be written: {error}", path.display()))
        })?;
        println!(
            "Try: kubectl --kubeconfig {} get namespaces",
            path.display()
        );
    }
    Ok(())
}

fn list(clusters: &[ClusterInfo], json: bool) {
    if json {
        println!(
            "{}",
            serde_json::to_string_pretty(clusters).unwrap_or_default()
        );
    } else if clusters.is_empty() {
        println!("There are no clusters; make one with: skylab kube create NAME");
    } else {
        println!(
            "{:<20} {:<8} {:<6} {:<6} SERVER",
            "NAME", "VERSION", "NODES", "PODS"
        );
        for of in clusters {
            println!(
                "{:<20} {:<8} {:<6} {:<6} {}",
                of.name, of.version, of.nodes, of.pods, of.server
            );
        }
    }
}

/// Asks something of the lab's clusters.
pub(crate) fn clusters(
    state: &StateDir,
    request: KubeRequest,
) -> Result<Vec<ClusterInfo>, ControlError> {
    match control::connect(state)?.ask(&Request::Kube(request))? {
        Reply::Clusters(clusters) => Ok(clusters),
        _ => Err(ControlError::Version),
    }
}

/// The kubeconfig of a cluster, as a file.
pub(crate) fn text(state: &StateDir, name: &str) -> Result<String, Failure> {
    let config = config(state, name)?;
    let environment = match config.user {
        KubeUser::Token(_) => Vec::new(),
        KubeUser::Iam { .. } => env::keys(state)?,
    };
    Ok(config.file(&environment))
}

/// How clients reach a cluster.
fn config(state: &StateDir, name: &str) -> Result<Kubeconfig, ControlError> {
    let request = Request::Kube(KubeRequest::Kubeconfig(name.to_owned()));
    match control::connect(state)?.ask(&request)? {
        Reply::Kubeconfig(config) => Ok(config),
        _ => Err(ControlError::Version),
    }
}

/// Writes a file that only its user reads: there is a token in it.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

//! What an agent in a test talks to.

use crate::cloud::Cloud;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{mpsc, watch};
use vpc_cni::agent::{NodeWords, Notice, Surround};
use vpc_cni::ec2::Ec2;
use vpc_cni::http::Http;
use vpc_cni::imds::Imds;
use vpc_cni::settings::Settings;

pub(crate) fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("vpc-cni-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) fn words(max_pods: usize) -> NodeWords {
    NodeWords {
        max_pods: Some(max_pods),
        schedulable: true,
        eni_config: None,
    }
}

/// An agent's settings, with its file in a folder.
pub(crate) fn settings(folder: &Path, variables: &[(&str, &str)]) -> Settings {
    let checkpoint = folder.join("ipam.json").display().to_string();
    let (settings, _) = Settings::read(|name| match name {
        "AWS_VPC_K8S_CNI_BACKING_STORE" => Some(checkpoint.clone()),
        name => {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    })
    .unwrap();
    settings
}

/// What an agent on an instance of a cloud talks to.
pub(crate) fn around<H>(
    cloud: &Cloud,
    host: Arc<H>,
    words: watch::Receiver<NodeWords>,
) -> (Surround<H>, mpsc::UnboundedReceiver<Notice>) {
    let http = Http::new(|_| None).unwrap();
    let imds = Arc::new(Imds::new(http.clone(), &cloud.address).unwrap());
    let ec2 = Ec2::new(http, imds.clone(), "us-west-2", Some(&cloud.address)).unwrap();
    let (notices, told) = mpsc::unbounded_channel();
    let around = Surround {
        imds,
        ec2,
        host,
        words,
        notices,
    };
    (around, told)
}

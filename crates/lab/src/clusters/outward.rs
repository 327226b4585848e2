//! A cluster's API server calls its nodes, pods and webhooks: from its own place, so that the packets meet
//! what stands between.

use super::ClusterError;
use super::certificate::Certificates;
use crate::cloud::{Cloud, unix_time};
use crate::{proxy, socket};
use fabric::HostId;
use kube::api::Pace;
use kube::certificates::Subject;
use kube::outward::{Dial, Identity, Outward};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddrV4;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// A connection is made within so many seconds, or isn't, as upstream's.
const PATIENCE: i64 = 30;

/// Connections from a host of the fabric.
struct From {
    cloud: Cloud,
    host: HostId,
}

impl Dial for From {
    fn dial<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>> {
        Box::pin(async move {
            let address = proxy::look_up(&self.cloud, host);
            let address = address.map_err(|_| io::Error::from(ErrorKind::NotFound))?;
            let place = self.cloud.host(self.host.clone()).await;
            let place = place.ok_or_else(|| io::Error::from(ErrorKind::NetworkUnreachable))?;
            let at = SocketAddrV4::new(address, port);
            socket::unconnected(place).await?.connect(at.into()).await
        })
    }
}

/// How a cluster's API server calls others from its host.
pub(super) fn of(
    cloud: Cloud,
    host: HostId,
    certificates: &Certificates,
    pace: Pace,
) -> Result<Outward, ClusterError> {
    let subject = Subject {
        user: "system:kube-apiserver".to_owned(),
        groups: vec!["system:masters".to_owned()],
    };
    let own = certificates.issue(&subject, unix_time());
    let own = own.map_err(ClusterError::keys)?;
    let identity = Identity {
        authority: &certificates.authority,
        certificate: &own.certificate,
        key: &own.key,
    };
    let outward = Outward::new(Arc::new(From { cloud, host }), identity);
    let outward = outward.map_err(ClusterError::keys)?;
    let patience = pace.timer(PATIENCE).unsigned_abs();
    Ok(outward.patience(Duration::from_secs(patience)))
}

//! What plugins ask of the agent.

use super::{Agent, lock};
use crate::datastore::Owner;
use crate::host::Host;
use crate::rpc::message::*;
use crate::rpc::server::Backend;
use crate::rpc::{Code, Status};
use crate::ways;
use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;

impl<H: Host> Agent<H> {
    fn assignment(&self, address: Ipv4Addr) -> Assignment {
        let store = self.store();
        let device = store.interface_of(address).map_or(0, |one| one.device);
        Assignment {
            address,
            device,
            table: ways::table(device),
        }
    }

    /// Assigns an address. It is on the disk before anybody learns of it.
    fn assign(&self, request: &AddNetworkRequest) -> Result<Option<Ipv4Addr>, Status> {
        let owner = Owner {
            network: request.network.clone(),
            container: request.container.clone(),
            link: request.link.clone(),
        };
        let mut store = self.store();
        let before = store.clone();
        let assigned = store.assign(owner, &request.namespace, &request.pod, super::now());
        let address = match assigned {
            Ok(address) => address,
            Err(error) => {
                self.counts.without_address.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(pod = request.pod, namespace = request.namespace, %error, "no address");
                return Ok(None);
            }
        };
        if store.allocations().len() != before.allocations().len()
            && let Err(error) = self.keep(&store)
        {
            *store = before;
            return Err(Status::new(Code::Internal, error.to_string()));
        }
        Ok(Some(address))
    }

    fn unassign(&self, request: &DelNetworkRequest) -> Result<Option<Ipv4Addr>, Status> {
        let mut store = self.store();
        let before = store.clone();
        let taken = store.unassign(&request.container, &request.link, super::now());
        let Some((_, allocation)) = taken else {
            return Ok(None);
        };
        if let Err(error) = self.keep(&store) {
            *store = before;
            return Err(Status::new(Code::Internal, error.to_string()));
        }
        Ok(Some(allocation.address))
    }
}

impl<H: Host> Backend for Agent<H> {
    async fn add(&self, request: AddNetworkRequest) -> Result<AddNetworkReply, Status> {
        self.counts.added.fetch_add(1, Ordering::Relaxed);
        let assigned = self.assign(&request)?;
        let ranges = &lock(&self.known).ranges;
        let mut ranges: Vec<_> = ranges.iter().map(ToString::to_string).collect();
        let excluded = &self.settings.exclude_snat;
        ranges.extend(excluded.iter().map(ToString::to_string));
        let assignments = assigned.map(|address| self.assignment(address));
        tracing::info!(
            pod = request.pod,
            namespace = request.namespace,
            container = request.container,
            address = assigned.map(|address| address.to_string()),
            "add",
        );
        Ok(AddNetworkReply {
            success: assigned.is_some(),
            assignments: assignments.into_iter().collect(),
            external_snat: self.settings.external_snat,
            vpc_ranges: ranges,
        })
    }

    async fn delete(&self, request: DelNetworkRequest) -> Result<DelNetworkReply, Status> {
        self.counts.deleted.fetch_add(1, Ordering::Relaxed);
        let taken = self.unassign(&request)?;
        tracing::info!(
            pod = request.pod,
            namespace = request.namespace,
            container = request.container,
            reason = request.reason,
            address = taken.map(|address| address.to_string()),
            "delete",
        );
        Ok(DelNetworkReply {
            // There is nothing left of a pod that isn't known.
            success: true,
            assignments: taken
                .map(|address| self.assignment(address))
                .into_iter()
                .collect(),
        })
    }

    fn serving(&self) -> bool {
        self.serving.load(Ordering::Acquire)
    }
}

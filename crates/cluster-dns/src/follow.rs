//! The zone follows the API.

use crate::zone::{Kind, Zone};
use imbl::ordmap::DiffItem;
use kube_client::{Client, Mirror, Objects};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// A kind and where its objects are.
pub(crate) type Watched = (Kind, &'static str);

/// What is followed always.
pub(crate) const WATCHED: [Watched; 3] = [
    (Kind::Namespace, "/api/v1/namespaces"),
    (Kind::Service, "/api/v1/services"),
    (
        Kind::EndpointSlice,
        "/apis/discovery.k8s.io/v1/endpointslices",
    ),
];
/// Followed where the names of pods are verified.
pub(crate) const PODS: Watched = (Kind::Pod, "/api/v1/pods");

/// Follows the API for good; the zone is complete once everything that is watched has been seen.
pub(crate) async fn follow(client: Client, zone: Arc<RwLock<Zone>>, watched: Vec<Watched>) {
    let mut mirrors: Vec<_> = watched
        .into_iter()
        .map(|(kind, path)| (kind, Mirror::start(client.clone(), path), Objects::new()))
        .collect();
    for (kind, mirror, seen) in &mut mirrors {
        let now = mirror.ready().await;
        take(&zone, *kind, seen, &now);
    }
    zone.write()
        .unwrap_or_else(PoisonError::into_inner)
        .complete();
    let mut tasks = JoinSet::new();
    for (kind, mut mirror, mut seen) in mirrors {
        let zone = zone.clone();
        tasks.spawn(async move {
            loop {
                let now = mirror.changed().await;
                take(&zone, kind, &mut seen, &now);
            }
        });
    }
    // They never end.
    while tasks.join_next().await.is_some() {}
}

/// Takes what differs between what was seen and what is there.
fn take(zone: &RwLock<Zone>, kind: Kind, seen: &mut Objects, now: &Objects) {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = time.map_or(0, |since| since.as_secs());
    // A serial number goes round, and so does this.
    #[allow(clippy::cast_possible_truncation)]
    let time = time as u32;
    let mut zone = zone.write().unwrap_or_else(PoisonError::into_inner);
    for change in seen.diff(now) {
        match change {
            DiffItem::Add(key, object)
            | DiffItem::Update {
                new: (key, object), ..
            } => {
                zone.apply(kind, key, Some(object), time);
            }
            DiffItem::Remove(key, _) => zone.apply(kind, key, None, time),
        }
    }
    drop(zone);
    *seen = now.clone();
}

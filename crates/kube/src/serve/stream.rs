//! Watches: events on lines, for as long as the client listens.

use crate::api::{Event, Filter, Status, conversion};
use crate::cluster::{Cluster, Published};
use crate::outward::Body;
use crate::store::Change;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::channel::Channel;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A watch that names no end ends between half an hour and an hour, as upstream's do.
const LONGEST: u64 = 2700;
/// How often a client that wants to hear of revisions without changes hears of them.
const BOOKMARK: Duration = Duration::from_secs(60);

/// The body of a watch's answer.
///
/// # Errors
/// The revision that it begins after is no longer kept.
pub(super) fn watch(cluster: &Cluster, filter: Filter) -> Result<Body, Status> {
    let now = cluster.now();
    if let Some(since) = filter.since
        && since < now.forgotten
    {
        return Err(Status::expired(since, now.forgotten));
    }
    let (sender, body) = Channel::<Bytes, Infallible>::new(16);
    let watching = Watching {
        cluster: cluster.clone(),
        filter,
        sender,
        seen: 0,
    };
    tokio::spawn(watching.run());
    Ok(body.map_err(|never| match never {}).boxed_unsync())
}

struct Watching {
    cluster: Cluster,
    filter: Filter,
    sender: http_body_util::channel::Sender<Bytes, Infallible>,
    /// Changes up to this revision have been told.
    seen: u64,
}

/// The client went away.
struct Gone;

impl Watching {
    async fn run(mut self) {
        // Who goes away needs no goodbye.
        let _ = self.tell_all().await;
    }

    async fn tell_all(&mut self) -> Result<(), Gone> {
        let seconds = self.filter.seconds.and_then(|s| u64::try_from(s).ok());
        let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(LONGEST));
        let mut follow = self.cluster.follow();
        let first = follow.borrow_and_update().clone();
        match self.filter.since {
            Some(since) => self.seen = since,
            None => self.begin(&first).await?,
        }
        let mut bookmark = Instant::now() + BOOKMARK;
        loop {
            let now = follow.borrow_and_update().clone();
            self.tell(&now).await?;
            tokio::select! {
                changed = follow.changed() => if changed.is_err() { return Ok(()) },
                () = sleep_until(end) => {
                    if self.filter.bookmarks {
                        self.bookmark(false).await?;
                    }
                    return Ok(());
                }
                () = sleep_until(bookmark), if self.filter.bookmarks => {
                    bookmark = Instant::now() + BOOKMARK;
                    self.bookmark(false).await?;
                }
            }
        }
    }

    /// The objects that there are.
    async fn begin(&mut self, now: &Arc<Published>) -> Result<(), Gone> {
        let namespace = self.filter.selection.namespace.clone();
        let resource = self.filter.selection.resource.clone();
        let clock = self.cluster.clock();
        let all = now.store.list(&resource, namespace.as_deref());
        let all = all.map(|(_, object)| object.clone()).collect();
        for object in &self.shown(all).await? {
            if let Some(event) = self.filter.initial(object, clock) {
                self.send(&event).await?;
            }
        }
        self.seen = now.store.revision();
        if self.filter.initial_events {
            self.bookmark(true).await?;
        }
        Ok(())
    }

    /// The changes since the last ones told.
    async fn tell(&mut self, now: &Arc<Published>) -> Result<(), Gone> {
        if self.seen < now.forgotten {
            let status = Status::expired(self.seen, now.forgotten);
            self.send(&Event::error(&status)).await?;
            return Err(Gone);
        }
        let clock = self.cluster.clock();
        let seen = self.seen;
        // The newest changes are at the end; those already told are skipped from there.
        let new = now
            .history
            .iter()
            .rev()
            .take_while(|change| change.revision > seen)
            .count();
        let changes = now.history.iter().skip(now.history.len() - new);
        let changes = self.changes(changes.cloned()).await?;
        let events: Vec<Event> = changes
            .iter()
            .filter_map(|change| self.filter.event(change, clock))
            .collect();
        for event in &events {
            self.send(event).await?;
        }
        self.seen = now.store.revision();
        Ok(())
    }

    /// Changes with the objects in the version that is watched.
    async fn changes(
        &mut self,
        changes: impl Iterator<Item = Arc<Change>>,
    ) -> Result<Vec<Arc<Change>>, Gone> {
        if conversion::of(self.filter.resource()).is_none() {
            return Ok(changes.collect());
        }
        let resource = self.filter.selection.resource.clone();
        let changes: Vec<_> = changes
            .filter(|change| *change.key.resource == *resource)
            .collect();
        let sides = |change: &Arc<Change>| [change.before.clone(), change.after.clone()];
        let objects = changes.iter().flat_map(sides).flatten().collect();
        let mut shown = self.shown(objects).await?.into_iter();
        let mut next = |side: &Option<Arc<Value>>| side.as_ref().and_then(|_| shown.next());
        let changed = changes.iter().map(|change| {
            let (before, after) = (next(&change.before), next(&change.after));
            Arc::new(Change {
                before,
                after,
                ..change.as_ref().clone()
            })
        });
        Ok(changed.collect())
    }

    /// Objects in the version that is watched. A watch whose objects can't be converted ends.
    async fn shown(&mut self, objects: Vec<Arc<Value>>) -> Result<Vec<Arc<Value>>, Gone> {
        if conversion::of(self.filter.resource()).is_none() {
            return Ok(objects);
        }
        let resource = self.filter.resource().clone();
        match self.cluster.in_version(&resource, objects).await {
            Ok(shown) => Ok(shown),
            Err(status) => {
                self.send(&Event::error(&status)).await?;
                Err(Gone)
            }
        }
    }

    async fn bookmark(&mut self, last: bool) -> Result<(), Gone> {
        let event = self.filter.bookmark(self.seen, last);
        self.send(&event).await
    }

    async fn send(&mut self, event: &Event) -> Result<(), Gone> {
        let mut line = serde_json::to_vec(&event.value()).unwrap_or_default();
        line.push(b'\n');
        self.sender
            .send_data(Bytes::from(line))
            .await
            .map_err(|_| Gone)
    }
}

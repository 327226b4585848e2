//! Pods' statuses on their way to the API: the newest counts, and each pod's reports stay in order.

use kube_client::{Client, Error, Patch};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// So many reports are under way at once.
const TOGETHER: usize = 8;
/// After a failure the next try waits so long.
const PAUSE: Duration = Duration::from_millis(500);

/// Something to report of a pod, or a question whether all was.
#[derive(Debug)]
enum Item {
    Report(Report),
    Flush(oneshot::Sender<()>),
}

#[derive(Debug)]
struct Report {
    uid: String,
    path: String,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A strategic merge patch of its status.
    Status(Value),
    /// It ended; the API may forget it.
    Ended,
}

/// Where reports are put.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    queue: mpsc::UnboundedSender<Item>,
}

/// Reports to send.
#[derive(Debug)]
pub(crate) struct Queue {
    reports: mpsc::UnboundedReceiver<Item>,
}

impl Reporter {
    /// A reporter and the end of its queue, for [`run`].
    pub(crate) fn new() -> (Self, Queue) {
        let (queue, reports) = mpsc::unbounded_channel();
        (Self { queue }, Queue { reports })
    }

    /// Tells how a pod fares.
    pub(crate) fn status(&self, uid: &str, path: &str, patch: Value) {
        self.put(uid, path, What::Status(patch));
    }

    /// Tells that a pod has ended, after all that was told of it before.
    pub(crate) fn ended(&self, uid: &str, path: &str) {
        self.put(uid, path, What::Ended);
    }

    /// Waits until the API was told all that there is to tell.
    pub(crate) async fn flush(&self) {
        let (done, all_done) = oneshot::channel();
        let _ = self.queue.send(Item::Flush(done));
        let _ = all_done.await;
    }

    fn put(&self, uid: &str, path: &str, what: What) {
        // When nobody takes reports any more, the kubelet is ending.
        let _ = self.queue.send(Item::Report(Report {
            uid: uid.to_owned(),
            path: path.to_owned(),
            what,
        }));
    }
}

/// What is to be sent of one pod.
#[derive(Debug, Default)]
struct Pending {
    path: String,
    status: Option<Value>,
    ended: bool,
    under_way: bool,
}

/// Sends reports until the last reporter is gone.
pub(crate) async fn run(client: Client, mut queue: Queue) {
    let mut pending: HashMap<String, Pending> = HashMap::new();
    let mut sending: JoinSet<(String, Option<What>)> = JoinSet::new();
    let mut waiting = Vec::new();
    loop {
        tokio::select! {
            item = queue.reports.recv() => match item {
                None => return,
                Some(Item::Report(report)) => take(&mut pending, report),
                Some(Item::Flush(done)) => waiting.push(done),
            },
            Some(sent) = sending.join_next() => {
                // A task of ours doesn't panic; if one did, its report is lost with it.
                if let Ok((uid, failed)) = sent {
                    settle(&mut pending, &uid, failed);
                }
            }
        }
        start(&client, &mut pending, &mut sending);
        if pending.is_empty() {
            for done in waiting.drain(..) {
                let _ = done.send(());
            }
        }
    }
}

fn take(pending: &mut HashMap<String, Pending>, report: Report) {
    let entry = pending.entry(report.uid).or_default();
    entry.path = report.path;
    match report.what {
        What::Status(patch) => entry.status = Some(patch),
        What::Ended => entry.ended = true,
    }
}

/// Puts back what failed, unless there is something newer.
fn settle(pending: &mut HashMap<String, Pending>, uid: &str, failed: Option<What>) {
    let Some(entry) = pending.get_mut(uid) else {
        return;
    };
    entry.under_way = false;
    match failed {
        Some(What::Status(patch)) if entry.status.is_none() => entry.status = Some(patch),
        Some(What::Ended) => entry.ended = true,
        _ => {}
    }
    if entry.status.is_none() && !entry.ended {
        pending.remove(uid);
    }
}

fn start(
    client: &Client,
    pending: &mut HashMap<String, Pending>,
    sending: &mut JoinSet<(String, Option<What>)>,
) {
    for (uid, entry) in pending.iter_mut() {
        if sending.len() >= TOGETHER {
            return;
        }
        if entry.under_way {
            continue;
        }
        let what = match entry.status.take() {
            Some(patch) => What::Status(patch),
            None if entry.ended => What::Ended,
            None => continue,
        };
        entry.under_way = true;
        entry.ended &= !matches!(what, What::Ended);
        let (client, uid, path) = (client.clone(), uid.clone(), entry.path.clone());
        sending.spawn(async move {
            let failed = send(&client, &uid, &path, what).await;
            if failed.is_some() {
                tokio::time::sleep(PAUSE).await;
            }
            (uid, failed)
        });
    }
}

/// Sends one report; gives it back where it is to be tried again.
async fn send(client: &Client, uid: &str, path: &str, what: What) -> Option<What> {
    let sent = match &what {
        What::Status(patch) => {
            let path = format!("{path}/status");
            client.patch(&path, Patch::Strategic, patch).await
        }
        What::Ended => {
            let options = json!({"gracePeriodSeconds": 0, "preconditions": {"uid": uid}});
            client.delete(path, &options).await
        }
    };
    match sent {
        Ok(_) => None,
        // It is gone, or another one has its name.
        Err(error) if error.is_not_found() || error.is_conflict() => None,
        Err(error @ Error::Refused { .. }) if error.code().is_some_and(|code| code < 500) => {
            tracing::warn!(path, %error, "the API refuses a report");
            None
        }
        Err(error) => {
            tracing::debug!(path, %error, "a report is sent again");
            Some(what)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn report(what: What) -> Report {
        Report {
            uid: "u".into(),
            path: "/p".into(),
            what,
        }
    }

    #[test]
    fn the_newest_status_counts_and_the_end_comes_last() {
        let mut pending = HashMap::new();
        take(&mut pending, report(What::Status(json!(1))));
        take(&mut pending, report(What::Ended));
        take(&mut pending, report(What::Status(json!(2))));
        let entry = pending.get_mut("u").unwrap();
        assert_eq!((entry.status.take(), entry.ended), (Some(json!(2)), true));
        entry.under_way = true;
        take(&mut pending, report(What::Status(json!(3))));
        settle(&mut pending, "u", Some(What::Status(json!(2))));
        assert_eq!(pending["u"].status, Some(json!(3)), "what failed is older");
        pending.get_mut("u").unwrap().status = None;
        pending.get_mut("u").unwrap().ended = false;
        settle(&mut pending, "u", None);
        assert!(pending.is_empty());
    }
}

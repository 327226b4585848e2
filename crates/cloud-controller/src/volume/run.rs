//! Following a cluster's claims, volumes, pods and nodes.

use super::attachment::{self, Attachment, Wish, device, unique_name};
use super::{DRIVER, disk, provision};
use crate::Home;
use crate::aws::{Aws, Calls, list, text};
use crate::failure::Failure;
use kube::api::{Method, Status};
use kube::client::{Client, path, resource};
use kube::cluster::Cluster;
use kube::controllers::events;
use kube::object;
use kube::resource::Resource;
use kube::store::{Key, Store};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long after a failure the same is tried again, in seconds; it doubles with each.
const RETRY: i64 = 5;
/// It doubles no further.
const SLOWEST: i64 = 300;

/// Something to be done, by which failures of it are remembered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Make(String),
    Delete(String),
    Attach(Attachment),
    Detach(Attachment),
}

/// How often something failed, and when it is tried again.
struct Failed {
    times: u32,
    again: Instant,
}

struct Driver<'a, A> {
    client: Client,
    attacher: Client,
    aws: &'a A,
    home: &'a Home,
    failed: BTreeMap<Task, Failed>,
}

/// Looks after a cluster's EBS volumes until the task is ended.
pub async fn run<A: Aws>(cluster: Cluster, aws: A, home: Home) {
    let mut follow = cluster.follow();
    let mut driver = Driver {
        client: Client::of_control_plane(cluster.clone(), DRIVER),
        attacher: Client::of_control_plane(cluster, "attachdetach-controller"),
        aws: &aws,
        home: &home,
        failed: BTreeMap::new(),
    };
    loop {
        let store = follow.borrow_and_update().store.clone();
        driver.look(&store).await;
        let pause = driver.pause();
        tokio::select! {
            changed = follow.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl<A: Aws> Driver<'_, A> {
    /// Does what is to be done now.
    async fn look(&mut self, store: &Store) {
        let mut due = BTreeSet::new();
        for wanted in provision::wanted(store) {
            let task = Task::Make(wanted.name());
            due.insert(task.clone());
            if self.may(&task) {
                let outcome = self.make(&wanted).await;
                self.note(task, outcome);
            }
        }
        let (wanted, told) = (attachment::wanted(store), attachment::told(store));
        for attached in told.iter().filter(|of| !wanted.contains_key(of)) {
            let task = Task::Detach(attached.clone());
            due.insert(task.clone());
            if self.may(&task) {
                let outcome = self.detach(attached).await;
                self.note(task, outcome);
            }
        }
        for (attachment, wish) in wanted.iter().filter(|(of, _)| !told.contains(of)) {
            let task = Task::Attach(attachment.clone());
            due.insert(task.clone());
            // Another node's pod has it still.
            let elsewhere = told.iter().any(|other| other.disk == attachment.disk);
            if !elsewhere && self.may(&task) {
                let outcome = self.attach(attachment, wish).await;
                self.note(task, outcome);
            }
        }
        for volume in provision::released(store) {
            let task = Task::Delete(object::name(&volume).to_owned());
            due.insert(task.clone());
            let held = told
                .iter()
                .any(|of| Some(of.disk.as_str()) == disk(&volume));
            if !held && self.may(&task) {
                let outcome = self.delete(&volume).await;
                self.note(task, outcome);
            }
        }
        self.failed.retain(|task, _| due.contains(task));
    }

    /// The cluster's objects at this moment: nodes' statuses change with what is done.
    fn store(&self) -> Store {
        self.client.cluster().now().store.clone()
    }

    /// Whether something may be tried now.
    fn may(&self, task: &Task) -> bool {
        let failed = self.failed.get(task);
        failed.is_none_or(|failed| failed.again <= Instant::now())
    }

    fn note(&mut self, task: Task, outcome: Result<(), Failure>) {
        let Err(error) = outcome else {
            self.failed.remove(&task);
            return;
        };
        tracing::info!(?task, %error, "a volume has to wait");
        let times = self.failed.get(&task).map_or(0, |failed| failed.times);
        let wait = (RETRY << times.min(6)).min(SLOWEST);
        let paced = self.client.cluster().settings().pace.timer(wait);
        let wait = Duration::from_secs(paced.unsigned_abs()).max(Duration::from_secs(1));
        let again = Instant::now() + wait;
        let times = times + 1;
        self.failed.insert(task, Failed { times, again });
    }

    /// How long nothing has to be done unless something changes.
    fn pause(&self) -> Duration {
        let next = self.failed.values().map(|failed| failed.again).min();
        let longest = Duration::from_secs(60);
        next.map_or(longest, |at| at.saturating_duration_since(Instant::now()))
            .max(Duration::from_millis(50))
    }

    /// Makes a claim's volume.
    async fn make(&self, wanted: &provision::Wanted) -> Result<(), Failure> {
        let claim = &wanted.claim;
        let key = format!("{}/{}", object::namespace(claim), object::name(claim));
        let words = format!("External provisioner is provisioning volume for claim {key:?}");
        tell(&self.client, claim, "Normal", "Provisioning", &words).await;
        let made = self.make_disk(wanted).await;
        match &made {
            Ok(()) => {
                let words = format!("Successfully provisioned volume {}", wanted.name());
                tell(
                    &self.client,
                    claim,
                    "Normal",
                    "ProvisioningSucceeded",
                    &words,
                )
                .await;
            }
            Err(error) => {
                let class = object::text(claim, &["spec", "storageClassName"]);
                let words =
                    format!("failed to provision volume with StorageClass {class:?}: {error}");
                tell(&self.client, claim, "Warning", "ProvisioningFailed", &words).await;
            }
        }
        made
    }

    async fn make_disk(&self, wanted: &provision::Wanted) -> Result<(), Failure> {
        let asked = wanted.volume(self.home).map_err(Failure::service)?;
        let made = Calls(self.aws)
            .ec2("Could not create volume in EC2", "CreateVolume", asked)
            .await?;
        let volume = wanted.persistent(text(&made, "volumeId"));
        match self.client.create(persistent_volumes()?, &volume).await {
            // Made before, and not seen yet.
            Err(status) if status.reason == "AlreadyExists" => Ok(()),
            created => Ok(created.map(drop)?),
        }
    }

    /// Deletes a volume that nobody claims any more.
    async fn delete(&self, volume: &Value) -> Result<(), Failure> {
        if let Some(disk) = disk(volume) {
            let doing = "Could not delete volume";
            let asked = json!({"VolumeId": disk});
            let deleted = Calls(self.aws).ec2(doing, "DeleteVolume", asked).await;
            if let Err(error) = deleted
                && error.code() != Some("InvalidVolume.NotFound")
            {
                let words = error.to_string();
                tell(
                    &self.client,
                    volume,
                    "Warning",
                    "VolumeFailedDelete",
                    &words,
                )
                .await;
                return Err(error);
            }
        }
        let name = object::name(volume);
        let (volumes, options) = (persistent_volumes()?, json!({}));
        match self.client.delete(volumes, "", name, &options).await {
            Err(status) if status.reason != "NotFound" => Err(status.into()),
            _ => Ok(()),
        }
    }

    /// Attaches a volume to the node of the pod that uses it.
    async fn attach(&self, attachment: &Attachment, wish: &Wish) -> Result<(), Failure> {
        let outcome = self.attach_disk(attachment).await;
        let about = &wish.pod;
        match &outcome {
            Ok(()) => {
                let words = format!("AttachVolume.Attach succeeded for volume {:?}", wish.volume);
                tell(
                    &self.attacher,
                    about,
                    "Normal",
                    "SuccessfulAttachVolume",
                    &words,
                )
                .await;
            }
            Err(error) => {
                let words = format!(
                    "AttachVolume.Attach failed for volume {:?} : {error}",
                    wish.volume
                );
                tell(
                    &self.attacher,
                    about,
                    "Warning",
                    "FailedAttachVolume",
                    &words,
                )
                .await;
            }
        }
        outcome
    }

    async fn attach_disk(&self, attachment: &Attachment) -> Result<(), Failure> {
        let store = self.store();
        let node = store.get(&Key::new("nodes", "", &attachment.node));
        let gone = || Failure::service(format!("node {:?} not found", attachment.node));
        let node = node.ok_or_else(gone)?;
        let no_instance = || Failure::service("the node is no instance");
        let instance = attachment::instance(node).ok_or_else(no_instance)?;
        let calls = Calls(self.aws);
        let doing = "Could not attach volume";
        let find = json!({"VolumeId": [attachment.disk]});
        let found = calls.ec2(doing, "DescribeVolumes", find).await?;
        let at = list(&found, "volumeSet")
            .iter()
            .flat_map(|of| list(of, "attachmentSet"));
        match at.map(|at| text(at, "instanceId")).next() {
            Some(has) if has == instance => {}
            // No node says that it has it: what it was attached to is no node any more.
            Some(other) => {
                let asked = json!({"VolumeId": attachment.disk, "InstanceId": other});
                calls.ec2(doing, "DetachVolume", asked).await?;
                self.attach_to(instance, &attachment.disk).await?;
            }
            None => self.attach_to(instance, &attachment.disk).await?,
        }
        self.say(node, &attachment.disk, true).await
    }

    async fn attach_to(&self, instance: &str, disk: &str) -> Result<(), Failure> {
        let calls = Calls(self.aws);
        let doing = "Could not attach volume";
        let find = json!({"InstanceId": [instance]});
        let found = calls.ec2(doing, "DescribeInstances", find).await?;
        let reservations = list(&found, "reservationSet").iter();
        let instances = reservations.flat_map(|of| list(of, "instancesSet"));
        let devices = instances.flat_map(|of| list(of, "blockDeviceMapping"));
        let taken = devices
            .map(|of| text(of, "deviceName").to_owned())
            .collect();
        let none = || Failure::service("no device name is free");
        let device = device(&taken).ok_or_else(none)?;
        let asked = json!({"VolumeId": disk, "InstanceId": instance, "Device": device});
        calls.ec2(doing, "AttachVolume", asked).await.map(drop)
    }

    /// Detaches a volume that no pod of a node uses any more.
    async fn detach(&self, attached: &Attachment) -> Result<(), Failure> {
        let store = self.store();
        let Some(node) = store.get(&Key::new("nodes", "", &attached.node)) else {
            return Ok(());
        };
        let asked = json!({"VolumeId": attached.disk});
        let doing = "Could not detach volume";
        match Calls(self.aws).ec2(doing, "DetachVolume", asked).await {
            Err(error)
                if !matches!(
                    error.code(),
                    Some("IncorrectState" | "InvalidVolume.NotFound")
                ) =>
            {
                Err(error)
            }
            _ => self.say(node, &attached.disk, false).await,
        }
    }

    /// Says in a node's status whether a volume is attached.
    async fn say(&self, node: &Value, disk: &str, attached: bool) -> Result<(), Failure> {
        let nodes = resource("nodes").ok_or_else(Status::no_such_path)?;
        let path = path(nodes, "", object::name(node), "status");
        // Whoever changed the list meanwhile is heard first.
        let patch = json!({
            "metadata": {"resourceVersion": node["metadata"]["resourceVersion"]},
            "status": {"volumesAttached": attachment::list(node, disk, attached)},
        });
        let form = "application/merge-patch+json";
        let sent = self.attacher.send(Method::Patch, &path, form, &patch).await;
        tracing::debug!(volume = unique_name(disk), attached, "told to a node");
        Ok(sent.map(drop)?)
    }
}

fn persistent_volumes() -> Result<&'static Resource, Status> {
    resource("persistentvolumes").ok_or_else(Status::no_such_path)
}

async fn tell(client: &Client, object: &Value, kind: &str, reason: &str, words: &str) {
    let about = object::reference(object);
    if let Err(status) = events::record(client, &about, kind, reason, words).await {
        tracing::debug!(%status, reason, "an event is not recorded");
    }
}

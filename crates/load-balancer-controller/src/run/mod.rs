//! The controller at work: what changed is looked at, each group of ingresses, service and binding by a task of its own.

mod health;
mod ingress;
mod leader;
mod lookup;
mod options;
mod queue;
mod service;
mod start;

pub use options::{Options, OptionsError};
pub use start::{StartError, start};

use crate::binding::{Binding, Networking, fingerprint};
use crate::calls::Calls;
use crate::deploy::{Deployer, Place};
use crate::events::{About, Recorder};
use crate::failure::Failure;
use crate::model::class::GroupId;
use crate::model::object::read;
use crate::webhook::{self, Webhooks};
use crate::world::{Mirrors, World};
use aws_client::Aws;
use kube_client::Client;
use leader::Election;
use lookup::Lookups;
use queue::{After, Queue};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Changes that come within this time are looked at together.
const GATHER: Duration = Duration::from_millis(20);
/// A shared security group that is still in use is tried again after so long.
const IN_USE: Duration = Duration::from_secs(1);

/// Something to be looked after.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Job {
    /// A group of ingresses.
    Group(GroupId),
    /// A service, by `namespace/name`.
    Service(String),
    /// A target group binding, by `namespace/name`.
    Binding(String),
    /// The security group that all load balancers share.
    Backend,
}

/// What all tasks share.
#[derive(Debug)]
pub(crate) struct Controller<A> {
    pub(crate) options: Options,
    pub(crate) deployer: Deployer<A>,
    pub(crate) events: Recorder,
    pub(crate) networking: Networking,
    pub(crate) lookups: Lookups,
    pub(crate) vpc: OnceLock<Vec<ipnet::Ipv4Net>>,
    pub(crate) world: watch::Receiver<Option<World>>,
}

/// Runs the controller of a cluster until it is told to end. `identity` tells it from others of its kind, of which one
/// works at a time.
///
/// # Errors
/// Another one works in its place, or the system gives no signals.
pub async fn run<A: Aws + 'static>(
    client: Client,
    aws: A,
    options: Options,
    identity: String,
) -> Result<(), StartError> {
    let mut ended = signal(SignalKind::terminate())?;
    let mut election = Election::new(client.clone(), identity);
    let mut mirrors = Mirrors::start(&client);
    mirrors.ready().await;
    let (tell, world) = watch::channel(Some(mirrors.now()));
    let place = Place {
        cluster: options.cluster.clone(),
        vpc: options.vpc.clone(),
        backend_group: options.backend_group.clone(),
    };
    let (concurrent, resync) = (options.concurrent, options.resync);
    let controller = Arc::new(Controller {
        deployer: Deployer::new(place, Calls(aws), client.clone()),
        events: Recorder::new(client),
        networking: Networking::default(),
        lookups: Lookups::default(),
        vpc: OnceLock::new(),
        options,
        world,
    });
    let webhooks = Webhooks {
        world: controller.world.clone(),
        by_class: controller.options.service_webhook,
    };
    let port = controller.options.webhook_port;
    let client = controller.deployer.kubernetes.clone();
    let (ready, serving) = watch::channel(false);
    tokio::spawn(webhook::run(client, webhooks, port, ready));
    tokio::spawn(health::serve(serving));
    // Webhooks know what there is, also while another one works.
    {
        let mut winning = Box::pin(election.win());
        loop {
            tokio::select! {
                () = &mut winning => break,
                () = mirrors.changed() => drop(tell.send_replace(Some(mirrors.now()))),
                _ = ended.recv() => return Ok(()),
            }
        }
    }
    let mut lost = Box::pin(election.hold());
    tracing::info!(cluster = controller.options.cluster, "starting workers");
    let mut queue = Queue::new(concurrent, resync);
    let (done, mut finished) = mpsc::unbounded_channel();
    let mut wrong = BTreeSet::new();
    loop {
        let world = mirrors.now();
        tell.send_replace(Some(world.clone()));
        queue.want(controller.jobs(&world, &mut wrong).await);
        while let Some(job) = queue.next() {
            let (controller, done) = (controller.clone(), done.clone());
            tokio::spawn(async move {
                let outcome = controller.work(&job).await;
                // The receiver lives as long as this program.
                let _ = done.send((job, outcome));
            });
        }
        tokio::select! {
            () = mirrors.changed() => tokio::time::sleep(GATHER).await,
            () = &mut lost => return Err(StartError::Lost),
            _ = ended.recv() => break,
            Some((job, outcome)) = finished.recv() => queue.finished(&job, outcome),
            () = tokio::time::sleep(queue.pause()) => {}
        }
        while let Ok((job, outcome)) = finished.try_recv() {
            queue.finished(&job, outcome);
        }
    }
    drop(lost);
    election.release().await;
    Ok(())
}

impl<A: Aws + 'static> Controller<A> {
    /// What there is now.
    pub(crate) fn now(&self) -> Option<World> {
        self.world.borrow().clone()
    }

    /// All that is to be looked after, each with a number that changes with what it depends on. Ingresses that can be in
    /// no group are told once why.
    async fn jobs(
        &self,
        world: &World,
        told: &mut BTreeSet<(String, String)>,
    ) -> BTreeMap<Job, u64> {
        let grouped = world.grouped(&self.options.ingress_class);
        let mut wrong = BTreeSet::new();
        for (ingress, why) in &grouped.wrong {
            let once = (ingress.metadata.uid.clone(), why.clone());
            if !told.contains(&once) {
                let about = About::ingress(&ingress.metadata);
                let words = format!("Failed load groupID due to {why}");
                self.events.bad(&about, "FailedLoadGroupID", &words).await;
            }
            wrong.insert(once);
        }
        *told = wrong;
        let mut jobs = BTreeMap::new();
        for (group, parts) in &grouped.groups {
            let number = ingress::fingerprint(world, parts);
            jobs.insert(Job::Group(group.clone()), number);
        }
        for (key, object) in world.services.iter() {
            if let Some(number) = service::fingerprint(object) {
                jobs.insert(Job::Service(key.clone()), number);
            }
        }
        for (key, object) in world.bindings.iter() {
            if let Some(binding) = read::<Binding>(object) {
                let number = fingerprint(world, object, &binding);
                jobs.insert(Job::Binding(key.clone()), number);
            }
        }
        let mut hasher = DefaultHasher::new();
        self.needs_backend(world).hash(&mut hasher);
        jobs.insert(Job::Backend, hasher.finish());
        jobs
    }

    /// Whether anything needs the shared security group.
    fn needs_backend(&self, world: &World) -> bool {
        let grouped = world.grouped(&self.options.ingress_class);
        let mut parts = grouped.groups.values().flatten();
        let mut services = world.services.values();
        parts.any(|part| part.active)
            || !world.bindings.is_empty()
            || services.any(|of| service::is_wanted(of))
    }

    async fn work(&self, job: &Job) -> Result<After, Failure> {
        let Some(world) = self.now() else {
            return Ok(After::Change);
        };
        match job {
            Job::Group(group) => self.group(&world, group).await.map(|()| After::Change),
            Job::Service(key) => self.service(&world, key).await.map(|()| After::Change),
            Job::Binding(key) => {
                let binding = world.bindings.get(key).and_then(|of| read(of));
                let Some(binding) = binding else {
                    return Ok(After::Change);
                };
                let again = self.binding(&world, &binding).await?;
                Ok(again.map_or(After::Change, After::Time))
            }
            Job::Backend => {
                let needed = || self.now().is_none_or(|world| self.needs_backend(&world));
                let gone = self.deployer.release_backend_group(needed).await?;
                Ok(if gone {
                    After::Change
                } else {
                    After::Time(IN_USE)
                })
            }
        }
    }
}

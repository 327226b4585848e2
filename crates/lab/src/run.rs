//! A lab's life, from its state to its end. It runs as pid 1 of its namespaces.

use crate::authority::{Authority, AuthorityError};
use crate::balancers::{Balancers, Secrets};
use crate::cloud::{self, Backing, Cloud, Owner, RestoreError, Rules, unix_time};
use crate::clusters::{ClusterError, Clusters, Ground};
use crate::control::{self, Ports};
use crate::credentials::{Credentials, CredentialsError};
use crate::guests::{Consoles, Guests};
use crate::http::{self, Api, Keys};
use crate::issuers::IssuerBook;
use crate::lock::{LockError, StateLock};
use crate::metadata::Metadata;
use crate::metrics;
use crate::paths::{PathsError, StateDir};
use crate::presence::{self, Services, Serving};
use crate::proxy::{self, Admission};
use crate::stacks::Stacks;
use crate::store::{Store, StoreError};
use crate::uplink::{self, UplinkError};
use crate::{entropy, log};
use aws::identity::Seal;
use aws::model::{Settings, State};
use image::ImageStore;
use kernel::Engine;
use kernel::launch::Inside;
use kernel::limits::Limits;
use runtime::Hub;
use sha2::{Digest, Sha256};
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// How a lab is run; what `skylab up` says.
#[derive(Clone, Debug)]
pub struct Options {
    /// The state directory.
    pub state: StateDir,
    /// Whether the kernel forwards packets.
    pub packets: bool,
    /// AWS's port on loopback; 0 for any.
    pub aws_port: u16,
    /// The SOCKS5 proxy's port on loopback; 0 for any.
    pub socks_port: u16,
    /// Whether the proxy takes any program of this machine.
    pub socks_open: bool,
    /// Whether any AWS key is good.
    pub any_key: bool,
    /// How the clouds' own services act.
    pub rules: Rules,
    /// Whether the lab reaches the real internet.
    pub uplink: bool,
    /// Where the log goes besides its file.
    pub echo: log::Echo,
}

/// Why a lab can't run.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each is what its message says
pub enum RunError {
    #[error(transparent)]
    Paths(#[from] PathsError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Uplink(#[from] UplinkError),
    #[error(
        "port {port} of 127.0.0.1 can't be used for {what}: {source}; choose another with {flag}"
    )]
    Port {
        port: u16,
        what: &'static str,
        flag: &'static str,
        source: io::Error,
    },
    #[error("{what}: {source}")]
    Start {
        what: &'static str,
        source: io::Error,
    },
}

fn start(what: &'static str) -> impl FnOnce(io::Error) -> RunError {
    move |source| RunError::Start { what, source }
}

/// Runs a lab until it is told to end. `ready` is called when commands and requests are served.
///
/// # Errors
/// The state can't be used or a port is taken.
pub fn run(options: &Options, inside: Inside, ready: impl FnOnce(Ports)) -> Result<(), RunError> {
    options.state.create()?;
    let _lock = StateLock::take(&options.state)?;
    let _logging =
        log::start(&options.state.log(), options.echo).map_err(start("the log can't be opened"))?;
    let credentials = Credentials::load_or_make(&options.state)?;
    let authority = Arc::new(Authority::load_or_make(&options.state)?);
    let store = Arc::new(Store::open(&options.state.store())?);
    let state = cloud::restore(&store, new_account)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(start("no runtime"))?;
    let factory = inside.factory.clone();
    let engine: Option<Box<dyn FnOnce() -> Engine + Send>> = options
        .packets
        .then(|| Box::new(move || Engine::new(factory)) as Box<dyn FnOnce() -> Engine + Send>);
    let backing = Backing {
        store: store.clone(),
        engine,
    };
    let (cloud, owner) = cloud::start(state, backing, options.rules).map_err(start("no thread"))?;
    let lab = Lab {
        options,
        inside,
        credentials,
        authority,
        cloud,
        owner,
        store,
        issuers: Arc::default(),
    };
    let handle = runtime.handle().clone();
    let ended = runtime.block_on(lab.serve(handle, ready));
    // Connections and guests end with the process; nothing waits for them.
    runtime.shutdown_background();
    ended
}

/// A new account, with a number and ids of its own.
fn new_account() -> io::Result<State> {
    let seed = u64::from_be_bytes(entropy::bytes()?);
    let account = format!("{:012}", 100_000_000_000 + seed % 900_000_000_000);
    Ok(State::with_defaults(Settings { account, seed }))
}

struct Lab<'a> {
    options: &'a Options,
    inside: Inside,
    credentials: Credentials,
    authority: Arc<Authority>,
    cloud: Cloud,
    owner: Owner,
    store: Arc<Store>,
    issuers: Arc<IssuerBook>,
}

impl Lab<'_> {
    async fn serve(
        self,
        runtime: tokio::runtime::Handle,
        ready: impl FnOnce(Ports),
    ) -> Result<(), RunError> {
        let consoles = Consoles::default();
        let aws = listen(self.options.aws_port, "AWS's API", "--aws-port").await?;
        let socks = if self.options.packets {
            let port = self.options.socks_port;
            Some(listen(port, "the SOCKS5 proxy", "--socks-port").await?)
        } else {
            None
        };
        let ports = Ports {
            aws: port_of(&aws)?,
            socks: socks.as_ref().map(port_of).transpose()?,
        };
        let api = Arc::new(self.api(consoles.clone()));
        tokio::spawn(http::serve(aws, api.clone(), None));
        let stacks = Stacks {
            cloud: self.cloud.clone(),
            api: api.clone(),
            pace: self.options.rules.pace,
        };
        tokio::spawn(stacks.follow());
        let (serving, served) = presence::served();
        if let Some(socks) = socks {
            self.enter_networks(api, socks, serving).await;
            if self.options.uplink {
                uplink::open(&self.cloud).await?;
            }
        }
        if self.options.packets {
            self.balance()?;
        }
        let guests = Guests::new(
            self.inside.factory.clone(),
            self.cloud.clone(),
            runtime.clone(),
            self.authority.bundle(),
            consoles,
            served,
        );
        if self.options.packets {
            guests.follow().map_err(start("no thread"))?;
        }
        let clusters = self
            .clusters(runtime.clone(), ports, guests.clone())
            .await?;
        let started = unix_time();
        metrics::provide(&self.cloud, guests.clone(), clusters.clone(), started);
        let end = Arc::new(Notify::new());
        let control = control::listen(&self.options.state)
            .map_err(start("the control socket can't be opened"))?;
        let service = control::Service {
            cloud: self.cloud.clone(),
            clusters,
            guests,
            store: self.store.clone(),
            runtime,
            end: end.clone(),
            state: self.options.state.clone(),
            ports,
            started,
        };
        control::serve(control, service).map_err(start("no thread"))?;
        let mut terminated = signal(SignalKind::terminate()).map_err(start("no signals"))?;
        let mut interrupted = signal(SignalKind::interrupt()).map_err(start("no signals"))?;
        tracing::info!(aws = ports.aws, "the lab is ready");
        ready(ports);
        tokio::select! {
            () = end.notified() => {}
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        tracing::info!("the lab ends");
        let owner = self.owner;
        // What waits is stored and answered before the process goes.
        let _ = tokio::task::spawn_blocking(move || owner.end()).await;
        Ok(())
    }

    /// The clusters that the state has.
    async fn clusters(
        &self,
        runtime: tokio::runtime::Handle,
        ports: Ports,
        guests: Guests,
    ) -> Result<Clusters, RunError> {
        let token = &self.credentials.socks_token;
        let proxy = ports.socks.map(|port| {
            if self.options.socks_open {
                format!("socks5://127.0.0.1:{port}")
            } else {
                format!("socks5://skylab:{token}@127.0.0.1:{port}")
            }
        });
        let images = ImageStore::open(self.options.state.images());
        let images = images.map_err(start("the images' directory"))?;
        let hub = Hub::start().map_err(start("no thread"))?;
        let ground = Ground {
            cloud: self.cloud.clone(),
            guests,
            store: self.store.clone(),
            runtime,
            proxy,
            directory: self.options.state.path().to_owned(),
            images: Arc::new(images),
            hub,
            limits: Arc::new(limits(&self.options.state)),
            keys: self.keys(),
            issuers: self.issuers.clone(),
            volumes: self.options.state.volumes(),
            bundle: self.authority.bundle().into(),
            pace: match self.options.rules.pace {
                aws::model::Pace::Fast => kube::api::Pace::Fast,
                aws::model::Pace::Real => kube::api::Pace::Real,
            },
        };
        let restored = tokio::task::spawn_blocking(move || Clusters::restore(ground));
        Ok(restored
            .await
            .map_err(io::Error::other)
            .map_err(start("no thread"))??)
    }

    /// Puts load balancers to work.
    fn balance(&self) -> Result<(), RunError> {
        let secrets = Secrets::load_or_make(&self.options.state.balancer_key());
        let balancers = Balancers {
            cloud: self.cloud.clone(),
            authority: self.authority.clone(),
            secrets: Arc::new(secrets.map_err(start("the load balancers' key"))?),
            logs: self.options.state.access_logs(),
            pace: self.options.rules.pace,
        };
        tokio::spawn(async move {
            if let Err(error) = balancers.follow().await {
                tracing::error!(%error, "load balancers don't work");
            }
        });
        Ok(())
    }

    fn api(&self, consoles: Consoles) -> Api {
        let rules = self.options.rules;
        let (cloud, issuers) = (self.cloud.clone(), self.issuers.clone());
        Api::new(cloud, self.keys(), rules, consoles, issuers)
    }

    /// The keys that are good in the account.
    fn keys(&self) -> Keys {
        Keys {
            id: self.credentials.aws_access_key_id.clone(),
            secret: self.credentials.aws_secret_access_key.clone(),
            any: self.options.any_key,
            seal: self.seal(),
            metrics: self.credentials.metrics_token.clone(),
        }
    }

    /// What sessions' credentials are made with: they last as long as the lab's own key.
    fn seal(&self) -> Seal {
        Seal::new(self.credentials.aws_secret_access_key.as_bytes())
    }

    /// The lab's presence in its networks, and the host's way to them.
    async fn enter_networks(&self, api: Arc<Api>, socks: TcpListener, serving: Serving) {
        let services = Services {
            cloud: self.cloud.clone(),
            api,
            authority: self.authority.clone(),
            metadata: Arc::new(Metadata::new(self.cloud.clone(), self.seal())),
            uplink: self.options.uplink,
        };
        if let Err(error) = services.serve_internet().await {
            tracing::error!(%error, "no services on the lab's internet");
            self.cloud
                .health()
                .bad("internet", format!("its name and API services: {error}"));
        }
        tokio::spawn(services.follow(serving));
        let admission = if self.options.socks_open {
            Admission::Open
        } else {
            Admission::Token(self.credentials.socks_token.clone())
        };
        tokio::spawn(proxy::serve(socks, self.cloud.clone(), admission));
    }
}

/// The lab's control groups, named after its state: no two labs that run have the same.
fn limits(state: &StateDir) -> Limits {
    let hash = Sha256::digest(state.path().as_os_str().as_encoded_bytes());
    let name: String = hash[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    let limits = Limits::find(&name);
    if let Some(why) = limits.trouble() {
        tracing::info!(why, "containers run without limits");
    }
    limits
}

async fn listen(
    port: u16,
    what: &'static str,
    flag: &'static str,
) -> Result<TcpListener, RunError> {
    http::listen_on_loopback(port)
        .await
        .map_err(|source| RunError::Port {
            port,
            what,
            flag,
            source,
        })
}

fn port_of(listener: &TcpListener) -> Result<u16, RunError> {
    let address = listener.local_addr().map_err(start("no port"))?;
    Ok(address.port())
}

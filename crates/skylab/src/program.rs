//! Programs that run in a cluster's pods and on its nodes, all of them this one. Nobody but manifests
//! and container runtimes calls them.

use crate::failure::Failure;
use agents::{policy, proxy};
use clap::Subcommand;
use cluster_dns::Settings;
use kube_client::{Client, Config};
use std::future::Future;
use std::io;
use std::path::PathBuf;
use tokio::runtime;
use tracing_subscriber::EnvFilter;

/// What a program that can't go on ends with.
const FAILED: u8 = 1;

/// The programs.
#[derive(Debug, Subcommand)]
pub(crate) enum Program {
    /// The chapter's web server
    #[command(hide = true)]
    ExampleWeb,
    /// The network plugin of plain clusters, as container runtimes call it
    #[command(hide = true)]
    CniPtp,
    /// The plugin of plain clusters' host ports, as container runtimes call it
    #[command(hide = true)]
    CniPortmap,
    /// A node's service proxy
    #[command(hide = true)]
    KubeProxy {
        /// The configuration file, a `KubeProxyConfiguration`
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The node's name
        #[arg(long, value_name = "NODE")]
        hostname_override: String,
    },
    /// A cluster's names
    #[command(hide = true)]
    Coredns {
        /// CoreDNS's own flags: -conf FILE
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        flags: Vec<String>,
    },
    /// The agent of Amazon's network plugin
    #[command(hide = true)]
    AwsNode,
    /// What prepares a node for Amazon's network plugin
    #[command(hide = true)]
    AwsNodeInit,
    /// Amazon's network plugin, as container runtimes call it
    #[command(hide = true)]
    AwsCni,
    /// Asks whether a server of gRPC serves
    #[command(hide = true)]
    GrpcHealthProbe {
        /// -addr=unix:///PATH, -service=NAME and times
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        flags: Vec<String>,
    },
    /// The AWS Load Balancer Controller
    #[command(hide = true)]
    LoadBalancerController {
        /// Its own flags, --cluster-name=NAME above all
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        flags: Vec<String>,
    },
    /// A node's engine for network policies
    #[command(hide = true)]
    NetworkPolicyAgent {
        /// The node's name
        #[arg(long, value_name = "NODE")]
        hostname_override: String,
        /// Whether it enforces any
        #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
        enable_network_policy: bool,
    },
}

pub(crate) fn run(program: Program) -> Result<u8, Failure> {
    match program {
        Program::ExampleWeb => ended(example_web::run()),
        Program::CniPtp => Ok(u8::try_from(cni::ptp::main()).unwrap_or(FAILED)),
        Program::CniPortmap => Ok(u8::try_from(cni::portmap::main()).unwrap_or(FAILED)),
        Program::KubeProxy {
            config,
            hostname_override,
        } => kube_proxy(config, &hostname_override),
        Program::Coredns { flags } => coredns(&flags),
        Program::AwsNode => ended(forever(vpc_cni::agent::run(variable))),
        Program::AwsNodeInit => {
            let done = vpc_cni::agent::initialize(variable);
            ended(done.map_err(io::Error::other))
        }
        Program::AwsCni => Ok(u8::try_from(vpc_cni::plugin::main()).unwrap_or(FAILED)),
        Program::GrpcHealthProbe { flags } => ended(forever(vpc_cni::rpc::probe::run(flags))),
        Program::LoadBalancerController { flags } => load_balancers(&flags),
        // As upstream's agent: there, and idle.
        Program::NetworkPolicyAgent {
            enable_network_policy: false,
            ..
        } => ended(forever(std::future::pending::<io::Result<()>>())),
        Program::NetworkPolicyAgent {
            hostname_override, ..
        } => {
            let client = client("network-policy-agent")?;
            ended(forever(policy::run(client, &hostname_override)))
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn kube_proxy(config: Option<PathBuf>, node: &str) -> Result<u8, Failure> {
    let configuration = match config {
        Some(path) => {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| Failure::new(FAILED, format!("{}: {error}", path.display())))?;
            proxy::Configuration::read(&text).map_err(|error| Failure::new(FAILED, error))?
        }
        None => proxy::Configuration::default(),
    };
    let client = client("kube-proxy")?;
    ended(forever(proxy::run(client, node, &configuration)))
}

fn coredns(flags: &[String]) -> Result<u8, Failure> {
    let file = match flags {
        [] => "Corefile",
        [name, file] if name == "-conf" || name == "--conf" => file.as_str(),
        other => {
            let message = format!(
                "{}: this name server knows -conf FILE alone",
                other.join(" ")
            );
            return Err(Failure::new(FAILED, message));
        }
    };
    let settings = Settings::in_cluster(file.into());
    let settings = settings.map_err(|error| Failure::new(FAILED, error))?;
    ended(forever(cluster_dns::run(settings)))
}

/// Follows a cluster's ingresses and services, as the role of the pod's service account.
fn load_balancers(flags: &[String]) -> Result<u8, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(FAILED, error);
    let options = load_balancer_controller::Options::read(flags);
    let options = options.map_err(|error| failed(&error))?;
    let client = client("aws-load-balancer-controller")?;
    let http = aws_client::http::Http::new(variable).map_err(|error| failed(&error))?;
    ended(forever(load_balancer_controller::start(
        client, http, options, variable,
    )))
}

/// The API, as the pod's service account sees it.
fn client(agent: &str) -> Result<Client, Failure> {
    let config = Config::in_cluster(agent).map_err(|error| Failure::new(FAILED, error))?;
    Client::new(config).map_err(|error| Failure::new(FAILED, error))
}

/// Runs a program on a runtime of its own, with its log on standard error.
fn forever<E: std::error::Error + Send + Sync + 'static>(
    program: impl Future<Output = Result<(), E>>,
) -> io::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(program)
        .map_err(io::Error::other)
}

fn ended(outcome: io::Result<()>) -> Result<u8, Failure> {
    outcome
        .map(|()| 0)
        .map_err(|error| Failure::new(FAILED, error))
}

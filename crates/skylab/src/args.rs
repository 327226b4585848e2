//! The command line.

mod cluster;
mod eks;

pub(crate) use cluster::{Image, Kube, Node};
pub(crate) use eks::{
    Create, CreateCluster, CreateGroup, Delete, Eks, Get, Group, Place, Scale, Upgrade, Utils,
};

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  skylab demo vpc                                 see it work
  skylab up --detach                              start the lab
  eval \"$(skylab env)\"                            point aws-cli, boto3 and terraform at it
  aws ec2 create-vpc --cidr-block 10.0.0.0/16     build something
  skylab exec instance/web -- ping -c1 10.0.2.4   send real packets
  skylab explain internet instance/web --port 80  and see why they got through, or not
  skylab down                                     end it; the next `up` brings everything back";

/// Runs AWS networks on this machine: real API, real packets, real reasons.
#[derive(Debug, Parser)]
#[command(name = "skylab", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The lab's state directory; several labs run side by side with different ones
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the lab, or do nothing if it runs
    Up(Up),
    /// Show what runs and what is wrong
    Status(Status),
    /// End the lab; its state stays
    Down,
    /// End the lab and empty its state
    Reset,
    /// Print what the lab counts and measures, as Prometheus reads it
    Metrics(Metrics),
    /// Keep a lab as one file, and bring it back from one
    #[command(subcommand)]
    Snapshot(Snapshot),
    /// Print the variables that point a cloud's own tools at the lab
    Env(Env),
    /// Run a program at a place in the lab
    Exec(Exec),
    /// Open a shell at a place in the lab
    Shell(Shell),
    /// Say, hop by hop, why a packet gets from one place to another or doesn't
    Explain(Explain),
    /// Write a place's packets as pcapng, for Wireshark
    Capture(Capture),
    /// Show or set what a region can launch: its vCPU quota, and types that AWS has run out of
    Capacity(Capacity),
    /// Make, list and delete Kubernetes clusters, stop and start their nodes
    #[command(subcommand)]
    Kube(Kube),
    /// Make and look after EKS clusters, by eksctl's verbs, flags and files
    #[command(subcommand)]
    Eks(Box<Eks>),
    /// Bring, list and remove images that every node of the clusters has
    #[command(subcommand)]
    Image(Image),
    /// Play the chapter's walkthrough on real packets, from start to cleanup
    Demo(Demo),
    /// Print the version
    Version,
    /// What a demo runs at places
    #[command(subcommand, hide = true)]
    Probe(Probe),
    #[command(flatten)]
    Program(crate::program::Program),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prometheus reads the same from the port of AWS's API, with a token of the lab's own.

Examples:
  skylab metrics
  skylab metrics --scrape-config >prometheus.yml && prometheus --config.file prometheus.yml")]
pub(crate) struct Metrics {
    /// Print a configuration for Prometheus, token included, instead
    #[arg(long)]
    pub(crate) scrape_config: bool,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
A snapshot holds all that a lab's API knows, every id and address, and the lab's keys: whoever can
read it can command a lab that is loaded from it. It is written for its user alone (mode 0600), whole
or not at all. A lab that runs goes on meanwhile, and the snapshot has what was acknowledged when it
began. Disks of instances are not in it: as after any restart of the lab, running instances start
from fresh ones and run their user data.

Examples:
  skylab snapshot save before-the-change.skylab
  skylab snapshot load before-the-change.skylab --state /tmp/lab-b && skylab up --state /tmp/lab-b
  skylab down && skylab snapshot load before-the-change.skylab --force && skylab up --detach")]
pub(crate) enum Snapshot {
    /// Save the lab, running or not, to a file
    Save {
        /// The file; one that is there is replaced
        file: PathBuf,
    },
    /// Make a state what a file holds; start the lab with `up` afterwards
    Load {
        /// The file
        file: PathBuf,
        /// Replace the lab that the state holds
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is set survives a restart. Launches that meet it get AWS's own errors: VcpuLimitExceeded,
InsufficientInstanceCapacity; Auto Scaling groups note a failed activity and try again.

Examples:
  skylab capacity limit m5.large 0 --zone us-west-2a   AWS has none left in that zone
  skylab capacity limit m5.large 3                     three in each of the region's zones
  skylab capacity quota 16                             all instances share 16 vCPUs
  skylab capacity                                      what is set
  skylab capacity reset                                the cloud's own again")]
pub(crate) struct Capacity {
    #[command(subcommand)]
    pub(crate) change: Option<CapacityChange>,
    /// As JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CapacityChange {
    /// Set the vCPUs that a region's running instances share
    Quota {
        /// That many
        vcpus: u32,
        /// The region
        #[arg(long, default_value = crate::command::env::REGION)]
        region: String,
    },
    /// Set how many instances of a type a zone can run
    Limit {
        /// The type
        #[arg(value_name = "TYPE")]
        instance_type: String,
        /// That many; 0 for none
        instances: u32,
        /// The zone; without it, each of the region's
        #[arg(long, conflicts_with = "region")]
        zone: Option<String>,
        /// The region
        #[arg(long, default_value = crate::command::env::REGION)]
        region: String,
    },
    /// Make it the cloud's own again
    Reset {
        /// The region; without it, every region
        #[arg(long)]
        region: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --state the demo runs a lab of its own, which leaves nothing behind.

Examples:
  skylab demo vpc           build figure 6-7, prove it, break it, put it back, clean up
  skylab demo vpc --keep    build it in your lab and leave it there to look around")]
pub(crate) struct Demo {
    /// Which
    #[arg(value_enum, default_value_t = Walkthrough::Vpc)]
    pub(crate) walkthrough: Walkthrough,
    /// Leave what was built
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Walkthrough {
    /// An AWS VPC: figure 6-7
    Vpc,
    /// Amazon EKS: a cluster, its load balancers and an ingress, by aws and kubectl
    Eks,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Probe {
    /// Answer every caller
    Serve {
        #[arg(long)]
        port: u16,
        #[arg(long)]
        name: String,
    },
    /// Call and print the answer
    Call { to: std::net::SocketAddrV4 },
}

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  skylab up --detach
  skylab up --state /tmp/lab-a --aws-port 0 --socks-port 0   a second lab, on any free ports
  skylab up --packets none                                   the API alone, without namespaces")]
pub(crate) struct Up {
    /// Return when the lab is ready and leave it running
    #[arg(long)]
    pub(crate) detach: bool,
    /// What forwards packets
    #[arg(long, value_enum, default_value_t = Packets::Kernel)]
    pub(crate) packets: Packets,
    /// Port of AWS's API on 127.0.0.1; 0 for any
    #[arg(long, default_value_t = 4566, value_name = "PORT")]
    pub(crate) aws_port: u16,
    /// Port of the SOCKS5 proxy into the lab on 127.0.0.1; 0 for any
    #[arg(long, default_value_t = 4570, value_name = "PORT")]
    pub(crate) socks_port: u16,
    /// Let any program of this machine use the proxy, without its token (for browsers)
    #[arg(long)]
    pub(crate) socks_open: bool,
    /// Accept any AWS access key (for tools that bring their own, such as awslocal)
    #[arg(long)]
    pub(crate) any_key: bool,
    /// Quotas to hold
    #[arg(long, value_enum, default_value_t = Quotas::Default)]
    pub(crate) quotas: Quotas,
    /// How fast the cloud's own waiting passes
    #[arg(long, value_enum, default_value_t = Pace::Fast)]
    pub(crate) pace: Pace,
    /// Port kept for Google Cloud's API, which this version doesn't have
    #[arg(long, default_value_t = 4567, value_name = "PORT")]
    pub(crate) gcp_port: u16,
    /// Port kept for Azure's API, which this version doesn't have
    #[arg(long, default_value_t = 4568, value_name = "PORT")]
    pub(crate) azure_port: u16,
    /// Let the lab reach the real internet, by connections that the lab makes for its hosts
    #[arg(long)]
    pub(crate) uplink: bool,
    /// The second half of --detach
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Packets {
    /// Linux does
    Kernel,
    /// Nothing does: API and explanations only
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Quotas {
    /// The cloud's defaults
    Default,
    /// None
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pace {
    /// As short as the work takes
    Fast,
    /// The cloud's own times
    Real,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eval \"$(skylab env)\"
  skylab env aws --format json")]
pub(crate) struct Env {
    /// Whose tools
    #[arg(value_enum, default_value_t = Cloud::Aws)]
    pub(crate) cloud: Cloud,
    /// Which Kubernetes cluster, where several run
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Lines for a shell, or one JSON object
    #[arg(long, value_enum, default_value_t = Format::Sh)]
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cloud {
    Aws,
    Gcp,
    Azure,
    Kube,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Sh,
    Json,
}

const PLACES: &str = "\
Places:
  internet                  a machine on the lab's internet
  internet:203.0.113.7      one with that public address
  instance/web, i-0abc…     an instance, by its Name or id
  eni/eni-0abc…             a network interface
  pod/default/web-0         a pod of a Kubernetes cluster; node/dev-node-1 a node of it
  vpc-0abc…/10.0.1.4        whoever has an address in a network";

#[derive(Debug, clap::Args)]
#[command(after_help = PLACES)]
pub(crate) struct Exec {
    /// The Kubernetes cluster of pods and nodes, where several run
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Where
    pub(crate) place: String,
    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD"
    )]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = PLACES)]
pub(crate) struct Shell {
    /// The Kubernetes cluster of pods and nodes, where several run
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Where
    pub(crate) place: String,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Places:
  internet                  a machine on the lab's internet
  internet:203.0.113.7      one with that public address
  instance/web, i-0abc…     an instance, by its Name or id
  eni/eni-0abc…             a network interface
  pod/default/web-0         a pod of a Kubernetes cluster; node/dev-node-1 a node of it
  svc/default/web           as destination: a service
  lb/shop                   a load balancer
  vpc-0abc…/10.0.1.4        whoever has an address in a network
  198.51.100.1              as destination: an address, as it is seen from the other place

Exit status: 0 delivered, 1 dropped, 2 unknown, 64 and up for bad input.

Examples:
  skylab explain internet instance/web --port 443
  skylab explain instance/web instance/db --port 5432 --json
  skylab explain instance/db 203.0.113.10 --proto icmp")]
pub(crate) struct Explain {
    /// Where the packet starts
    pub(crate) from: String,
    /// Where it should arrive
    pub(crate) to: String,
    /// The destination port; without it 80 for TCP and 53 for UDP
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// The protocol
    #[arg(long, value_enum, default_value_t = Proto::Tcp)]
    pub(crate) proto: Proto,
    /// The Kubernetes cluster of pods, services and nodes, where several run
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Filters: tcp, udp, icmp, arp, [src|dst] host A, [src|dst] net A/N, [src|dst] port N,
each perhaps after not, joined by and. Ctrl-C ends the capture.

Examples:
  skylab capture instance/web port 80 | wireshark -k -i -
  skylab capture eni/eni-0abc… -w eni.pcapng
  skylab capture pod/default/web -w pod.pcapng
  skylab capture node/dev-node-1 udp port 53 | tcpdump -n -r -")]
pub(crate) struct Capture {
    /// The Kubernetes cluster of pods and nodes, where several run
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Where
    pub(crate) place: String,
    /// Which packets
    pub(crate) filter: Vec<String>,
    /// Write to this file rather than to standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Proto {
    Tcp,
    Udp,
    Icmp,
}

impl Up {
    /// The same flags as words, for the process that carries them out.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = vec!["up".to_owned()];
        let mut flag = |given: bool, name: &str| {
            if given {
                words.push(name.to_owned());
            }
        };
        flag(self.socks_open, "--socks-open");
        flag(self.any_key, "--any-key");
        flag(self.uplink, "--uplink");
        flag(self.packets == Packets::None, "--packets=none");
        flag(self.quotas == Quotas::None, "--quotas=none");
        flag(self.pace == Pace::Real, "--pace=real");
        words.push(format!("--aws-port={}", self.aws_port));
        words.push(format!("--socks-port={}", self.socks_port));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn state_is_accepted_anywhere() {
        for line in [
            "skylab --state /s up --detach",
            "skylab up --detach --state /s",
            "skylab exec --state /s internet -- true",
        ] {
            let args = Args::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(args.state, Some(PathBuf::from("/s")), "{line}");
        }
    }

    #[test]
    fn a_programs_flags_are_its_own() {
        let line = "skylab exec internet ping -c 1 --state";
        let args = Args::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{e}"));
        let Command::Exec(exec) = args.command else {
            panic!("not exec")
        };
        assert_eq!(exec.command, ["ping", "-c", "1", "--state"]);
    }

    #[test]
    fn flags_survive_being_passed_on() {
        let line = "skylab up --aws-port 0 --any-key --packets none --quotas none --pace real";
        let given = Args::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{e}"));
        let Command::Up(given) = given.command else {
            panic!("not up")
        };
        let passed = std::iter::once("skylab".to_owned()).chain(given.words());
        let passed = Args::try_parse_from(passed).unwrap_or_else(|e| panic!("{e}"));
        let Command::Up(passed) = passed.command else {
            panic!("not up")
        };
        assert_eq!(format!("{given:?}"), format!("{passed:?}"));
    }
}

//! A balancer on this machine's own network, for measurements: listens at a port, gives requests to
//! members, and has as many rules as it is told.
//!
//! `alb PORT RULES THREADS MEMBER...`
#![allow(clippy::print_stdout)]

use balancer::means::{FetchError, Journal, Later, Means, Network, NoFunctions, SigningKey, Vault};
use balancer::{Node, Workers};
use bytes::Bytes;
use fabric::balancer::http::{
    Action, Case, Condition, Desync, Dialect, Fixed, Forward, HeaderConduct, Http, Outcome,
    Pattern, Rule,
};
use fabric::balancer::{
    Balancer, Conduct, Listener, Member, MemberState, Pool, Service, SourceSeen, Speech, Transport,
};
use fabric::filter::NumberRange;
use fabric::id::{CertificateId, HostId, PoolId};
use rustls::sign::CertifiedKey;
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use tokio::net::{TcpSocket, TcpStream};

struct Machine;

impl Network for Machine {
    fn listen(&self, port: u16) -> Later<'_, io::Result<std::net::TcpListener>> {
        Box::pin(async move {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseport(true)?;
            socket.set_reuseaddr(true)?;
            socket.bind((Ipv4Addr::UNSPECIFIED, port).into())?;
            socket.listen(4096)?.into_std()
        })
    }
    fn connect(&self, to: SocketAddr, _: Option<SocketAddr>) -> Later<'_, io::Result<TcpStream>> {
        Box::pin(TcpStream::connect(to))
    }
    fn fetch(
        &self,
        _: http::Request<Bytes>,
    ) -> Later<'_, Result<http::Response<Bytes>, FetchError>> {
        Box::pin(async { Err(FetchError("there is no web here".to_owned())) })
    }
}

impl Vault for Machine {
    fn certificate(&self, _: &CertificateId) -> Option<Arc<CertifiedKey>> {
        None
    }
    fn secret(&self, _: &str) -> Option<String> {
        None
    }
    fn cookie_key(&self) -> [u8; 32] {
        [0; 32]
    }
    fn signing_key(&self) -> Option<SigningKey> {
        None
    }
}

impl Journal for Machine {
    fn write(&self, _: String) {}
}

fn rule(priority: u32, conditions: Vec<Condition>, outcome: Outcome) -> Arc<Rule> {
    Arc::new(Rule {
        id: priority.to_string().into(),
        priority,
        conditions,
        action: Action::plain(outcome),
    })
}

/// Rules of which none takes the requests that are measured, but the default.
fn listener(rules: u32) -> Http {
    let other = |number: u32| {
        let host = Pattern::new(&format!("host{number}.example.com"), Case::Ignored);
        let path = Pattern::new(&format!("/path{number}/*"), Case::Kept);
        let fixed = Fixed {
            status: 404,
            content_type: None,
            body: String::new(),
        };
        let conditions = if number.is_multiple_of(2) {
            vec![Condition::Host(vec![host])]
        } else {
            vec![Condition::Path(vec![path])]
        };
        rule(number, conditions, Outcome::Fixed(fixed))
    };
    Http {
        tls: None,
        http2: true,
        dialect: Dialect::AwsApplication,
        rules: (1..=rules).map(other).collect(),
        default: rule(0, Vec::new(), Outcome::Forward(Forward::to("pool".into()))),
        idle_timeout: 60,
        client_keep_alive: 3600,
        headers: HeaderConduct::default(),
        desync: Desync::Defensive,
        access_log: false,
    }
}

fn pool(members: &[SocketAddrV4]) -> Pool {
    let member = |at: &SocketAddrV4| Member {
        name: at.to_string(),
        address: *at.ip(),
        port: at.port(),
        check_port: at.port(),
        zone: None,
        state: MemberState::Healthy,
        reason: None,
    };
    Pool {
        id: "pool".into(),
        speech: Speech::Http1,
        members: members.iter().map(member).collect(),
        cross_zone: true,
        source: SourceSeen::Node,
        affinity: None,
        health_check: None,
        conduct: Conduct::default(),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let mut next = || words.next().ok_or("alb PORT RULES THREADS MEMBER...");
    let (port, rules, threads) = (next()?.parse()?, next()?.parse()?, next()?.parse()?);
    let members = words
        .map(|word| word.parse())
        .collect::<Result<Vec<_>, _>>()?;
    let machine = Arc::new(Machine);
    let means = Means {
        network: machine.clone(),
        vault: machine.clone(),
        functions: Arc::new(NoFunctions),
        journal: machine,
    };
    let host = HostId::new("node");
    let node = fabric::balancer::Node {
        zone: "a".to_owned(),
    };
    let balancer = Balancer {
        id: "bench".into(),
        nodes: [(host.clone(), node)].into_iter().collect(),
        listeners: vec![Arc::new(Listener {
            id: "listener".into(),
            transports: vec![Transport::Tcp],
            ports: NumberRange::one(port),
            service: Service::Http(listener(rules)),
        })],
        pools: [(PoolId::new("pool"), Arc::new(pool(&members)))]
            .into_iter()
            .collect(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let node = Node::start(host, means, Workers::start(threads)?);
        if let Some((listener, error)) = node.apply(&balancer).await.pop() {
            return Err(format!("{listener}: {error}").into());
        }
        println!("ready");
        std::future::pending().await
    })
}

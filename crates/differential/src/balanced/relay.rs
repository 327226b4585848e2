//! What ends connections at balancers' nodes in tests: it opens one to a member for each, and passes on
//! what that says. The packets are what is tested here; the program of real nodes is another.

use fabric::balancer::Service;
use fabric::{Fabric, HostId};
use kernel::engine::Engine;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);

/// Relays on all nodes; they end when it is dropped.
pub(super) struct Relay {
    over: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Relay {
    /// Listens where listeners end connections.
    pub(super) fn over(engine: &Engine, fabric: &Fabric) -> io::Result<Self> {
        let mut relay = Self {
            over: Arc::default(),
            threads: Vec::new(),
        };
        for balancer in fabric.balancers.values() {
            for listener in &balancer.listeners {
                let Service::Stream(stream) = &listener.service else {
                    continue;
                };
                for node in balancer.nodes.keys() {
                    let pool = balancer.pools.get(&stream.pool);
                    let members = pool.map(|pool| balancer.selection(node, pool));
                    let members = members.iter().flat_map(|chosen| chosen.members());
                    let members = members.map(|member| member.place()).collect();
                    relay.listen(engine, node, listener.ports.low, members)?;
                }
            }
        }
        Ok(relay)
    }

    fn listen(
        &mut self,
        engine: &Engine,
        node: &HostId,
        port: u16,
        members: Vec<SocketAddrV4>,
    ) -> io::Result<()> {
        let Some(namespace) = engine.host(node) else {
            return Ok(());
        };
        let over = self.over.clone();
        let listener = namespace.run(move || -> io::Result<TcpListener> {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        })??;
        self.threads.push(thread::spawn(move || {
            // The node has gone: so have its clients.
            let _ = namespace.run(|| serve(&listener, &members, &over));
        }));
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A relay that panicked has shown so by its clients' silence.
            let _ = thread.join();
        }
    }
}

/// Takes connections, each of which goes on to the next member.
fn serve(listener: &TcpListener, members: &[SocketAddrV4], over: &AtomicBool) {
    let turn = AtomicUsize::new(0);
    thread::scope(|scope| {
        while !over.load(Ordering::Relaxed) {
            match listener.accept() {
                Ok((client, _)) => {
                    let next = turn.fetch_add(1, Ordering::Relaxed);
                    if let Some(member) = members.get(next % members.len().max(1)) {
                        scope.spawn(|| pass(client, *member));
                    }
                }
                Err(_) => thread::sleep(PAUSE),
            }
        }
    });
}

/// Passes on what a member says, as long as both ends last.
fn pass(mut client: TcpStream, member: SocketAddrV4) {
    let mut said = [0; 8];
    let carried = TcpStream::connect_timeout(&member.into(), PATIENCE).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.read_exact(&mut said)?;
        client.write_all(&said)
    });
    // A member that can't be reached leaves its client without an answer.
    let _ = carried;
}

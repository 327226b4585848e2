//! A runtime and images in memory. A container whose command is `exit N` ends at once with that code;
//! others run until they are stopped. Programs that are executed in containers run on the machine.

use cri::{
    Container, ContainerId, ContainerSpec, ContainerState, Credentials, Event, ExecSpec, Image,
    ImageError, ImageId, Images, Process, Runtime, RuntimeError, Sandbox, SandboxId, SandboxSpec,
    Streams, Usage,
};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

#[derive(Debug, Default)]
struct State {
    sandboxes: Vec<Sandbox>,
    containers: Vec<(Container, ContainerSpec)>,
    made: u64,
    network: Option<String>,
    /// Bytes of memory by container's name, where they aren't a few.
    memory: BTreeMap<String, u64>,
    hearing: Vec<Sender<Event>>,
}

/// A runtime in memory.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    state: Mutex<State>,
}

impl Fake {
    /// Takes the network away, or brings it.
    pub(crate) fn set_network(&self, trouble: Option<&str>) {
        self.state.lock().unwrap().network = trouble.map(str::to_owned);
    }

    /// Lets containers of a name use so many bytes of memory.
    pub(crate) fn use_memory(&self, name: &str, bytes: u64) {
        let mut state = self.state.lock().unwrap();
        state.memory.insert(name.to_owned(), bytes);
    }

    /// What the newest container of a name was asked to be.
    pub(crate) fn spec(&self, name: &str) -> Option<ContainerSpec> {
        let state = self.state.lock().unwrap();
        let mut found = state.containers.iter().rev();
        found
            .find(|(container, _)| container.name == name)
            .map(|(_, spec)| spec.clone())
    }

    /// Ends the newest container of a name.
    pub(crate) fn end(&self, name: &str, code: i32) {
        let mut state = self.state.lock().unwrap();
        let mut all = state.containers.iter().rev();
        let found = all.find(|(container, _)| container.name == name);
        let id = found.unwrap().0.id.clone();
        end(&mut state, &id, code);
    }

    /// Lets the newest container of a name print a line.
    pub(crate) fn print(&self, name: &str, line: &str) {
        print(&self.spec(name).unwrap(), line);
    }

    fn id(state: &mut State) -> String {
        state.made += 1;
        format!("{:064x}", state.made)
    }
}

fn end(state: &mut State, id: &ContainerId, code: i32) {
    let found = state.containers.iter_mut().find(|(c, _)| c.id == *id);
    let Some((container, _)) = found else { return };
    let ContainerState::Running { started } = container.state else {
        return;
    };
    let reason = if code == 0 { "Completed" } else { "Error" };
    container.state = ContainerState::Exited {
        started,
        finished: SystemTime::now(),
        code,
        reason: reason.to_owned(),
        message: String::new(),
    };
    let event = Event::ContainerEnded(id.clone());
    state
        .hearing
        .retain(|hearing| hearing.send(event.clone()).is_ok());
}

fn print(spec: &ContainerSpec, line: &str) {
    let Some(log) = &spec.log else { return };
    let file = fs::OpenOptions::new().create(true).append(true).open(log);
    let line = format!("2024-01-01T00:00:00.000000001Z stdout F {line}\n");
    file.unwrap().write_all(line.as_bytes()).unwrap();
}

#[derive(Debug)]
struct Program(Mutex<Child>, u32);

impl Process for Program {
    fn wait(&self) -> io::Result<i32> {
        let status = self.0.lock().unwrap().wait()?;
        Ok(status.code().unwrap_or(137))
    }

    fn signal(&self, signal: i32) -> io::Result<()> {
        let sent = Command::new("kill")
            .args([format!("-{signal}"), self.1.to_string()])
            .status()?;
        if sent.success() {
            Ok(())
        } else {
            Err(io::Error::other("it ended"))
        }
    }
}

impl Runtime for Fake {
    fn trouble(&self) -> Option<String> {
        None
    }

    fn network_trouble(&self) -> Option<String> {
        self.state.lock().unwrap().network.clone()
    }

    fn run_sandbox(&self, spec: &SandboxSpec) -> Result<Sandbox, RuntimeError> {
        let mut state = self.state.lock().unwrap();
        let sandbox = Sandbox {
            id: SandboxId(Self::id(&mut state)),
            namespace: spec.namespace.clone(),
            name: spec.name.clone(),
            uid: spec.uid.clone(),
            attempt: spec.attempt,
            ready: true,
            address: Some(Ipv4Addr::LOCALHOST),
            created: SystemTime::now(),
        };
        state.sandboxes.push(sandbox.clone());
        Ok(sandbox)
    }

    fn stop_sandbox(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        let mut state = self.state.lock().unwrap();
        for sandbox in &mut state.sandboxes {
            sandbox.ready &= sandbox.id != *id;
        }
        Ok(())
    }

    fn remove_sandbox(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        let mut state = self.state.lock().unwrap();
        state.sandboxes.retain(|sandbox| sandbox.id != *id);
        state.containers.retain(|(c, _)| c.sandbox != *id);
        Ok(())
    }

    fn sandboxes(&self) -> Vec<Sandbox> {
        self.state.lock().unwrap().sandboxes.clone()
    }

    fn create_container(
        &self,
        sandbox: &SandboxId,
        spec: &ContainerSpec,
    ) -> Result<ContainerId, RuntimeError> {
        let mut state = self.state.lock().unwrap();
        let id = ContainerId(Self::id(&mut state));
        let container = Container {
            id: id.clone(),
            sandbox: sandbox.clone(),
            name: spec.name.clone(),
            attempt: spec.attempt,
            image: spec.image.clone(),
            image_id: format!("sha256:{}", spec.image),
            state: ContainerState::Created,
            created: SystemTime::now(),
            log: spec.log.clone(),
        };
        state.containers.push((container, spec.clone()));
        Ok(id)
    }

    fn start_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let mut state = self.state.lock().unwrap();
        let found = state.containers.iter_mut().find(|(c, _)| c.id == *id);
        let (container, spec) = found.ok_or_else(|| RuntimeError::NoContainer(id.clone()))?;
        let words: Vec<&str> = spec.command.iter().map(String::as_str).collect();
        if words == ["nonsense"] {
            let now = SystemTime::now();
            container.state = ContainerState::Exited {
                started: now,
                finished: now,
                code: 128,
                reason: "StartError".to_owned(),
                message: "nonsense".to_owned(),
            };
            let why = "exec: \"nonsense\": executable file not found in $PATH";
            return Err(RuntimeError::CannotRun(why.to_owned()));
        }
        let started = SystemTime::now();
        container.state = ContainerState::Running { started };
        print(spec, &format!("{} {}", spec.name, spec.attempt));
        if let ["exit", code] = words[..] {
            let code = code.parse().unwrap();
            end(&mut state, id, code);
        }
        Ok(())
    }

    fn stop_container(&self, id: &ContainerId, _: Duration) -> Result<(), RuntimeError> {
        end(&mut self.state.lock().unwrap(), id, 143);
        Ok(())
    }

    fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let mut state = self.state.lock().unwrap();
        state
            .containers
            .retain(|(container, _)| container.id != *id);
        Ok(())
    }

    fn containers(&self) -> Vec<Container> {
        let state = self.state.lock().unwrap();
        state.containers.iter().map(|(c, _)| c.clone()).collect()
    }

    fn container(&self, id: &ContainerId) -> Option<Container> {
        self.containers().into_iter().find(|c| c.id == *id)
    }

    fn exec(
        &self,
        _: &ContainerId,
        spec: &ExecSpec,
    ) -> Result<(Box<dyn Process>, Streams), RuntimeError> {
        let stdin = if spec.stdin {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        let child = Command::new(&spec.command[0])
            .args(&spec.command[1..])
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|error| RuntimeError::CannotRun(error.to_string()))?;
        let streams = Streams {
            stdin: child.stdin.take().map(OwnedFd::from),
            stdout: child.stdout.take().map(OwnedFd::from),
            stderr: child.stderr.take().map(OwnedFd::from),
            terminal: None,
        };
        let id = child.id();
        Ok((Box::new(Program(Mutex::new(child), id)), streams))
    }

    fn attach(&self, id: &ContainerId) -> Result<Streams, RuntimeError> {
        Err(RuntimeError::NotRunning(id.clone()))
    }

    fn resize(&self, id: &ContainerId, _: u16, _: u16) -> Result<(), RuntimeError> {
        Err(RuntimeError::NotRunning(id.clone()))
    }

    fn reopen_log(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let state = self.state.lock().unwrap();
        let found = state.containers.iter().find(|(c, _)| c.id == *id);
        if let Some(log) = found.and_then(|(_, spec)| spec.log.as_ref()) {
            fs::write(log, "").unwrap();
        }
        Ok(())
    }

    fn dial(&self, _: &SandboxId, port: u16) -> io::Result<TcpStream> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
    }

    fn usage(&self, id: &ContainerId) -> Option<Usage> {
        let state = self.state.lock().unwrap();
        let mut all = state.containers.iter();
        let (container, _) = all.find(|(container, _)| container.id == *id)?;
        Some(Usage {
            cpu_nanoseconds: 1_500_000_000,
            memory_bytes: state.memory.get(&container.name).copied().unwrap_or(4096),
        })
    }

    fn events(&self) -> Receiver<Event> {
        let (hearing, heard) = channel();
        self.state.lock().unwrap().hearing.push(hearing);
        heard
    }
}

/// Images that are there as soon as they are pulled; those called `missing` never are.
#[derive(Debug, Default)]
pub(crate) struct FakeImages {
    there: Mutex<Vec<String>>,
}

impl Images for FakeImages {
    fn pull(&self, reference: &str, _: &[Credentials]) -> Result<Image, ImageError> {
        if reference.contains("missing") {
            return Err(ImageError::NotFound(reference.to_owned()));
        }
        self.there.lock().unwrap().push(reference.to_owned());
        Ok(image(reference))
    }

    fn find(&self, reference: &str) -> Option<Image> {
        let there = self.there.lock().unwrap();
        there
            .iter()
            .any(|name| name == reference)
            .then(|| image(reference))
    }

    fn list(&self) -> Vec<Image> {
        let there = self.there.lock().unwrap();
        there.iter().map(|name| image(name)).collect()
    }

    fn remove(&self, _: &str) -> Result<(), ImageError> {
        Ok(())
    }
}

fn image(name: &str) -> Image {
    Image {
        id: ImageId(format!("sha256:{name}")),
        tags: vec![name.to_owned()],
        digests: Vec::new(),
        size: 1_000,
        uid: None,
        user: None,
    }
}

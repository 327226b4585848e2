//! What a running container prints: into its log, and to whoever attached; and what those type.

use crate::hub::{Hub, Key, Outlet, Watched, lock};
use crate::log::{Log, Stream};
use cri::Streams;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::epoll::EpollFlags;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::io::{self, pipe};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// As much is read of one stream before others have their turn.
const PORTION: usize = 32 * 1024;

/// As much can be left in a pipe when its writer has ended.
const MOST_LEFT: usize = 2 * 1024 * 1024;

/// Numbers of the parts that the hub tells of.
const OUTPUT: u64 = 0;
const ERRORS: u64 = 1;
const TERMINAL: u64 = 2;
const CLIENTS: u64 = 3;

/// The outer ends of a container's streams.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) input: Option<OwnedFd>,
    pub(crate) output: Option<OwnedFd>,
    pub(crate) errors: Option<OwnedFd>,
    pub(crate) terminal: Option<OwnedFd>,
    /// Whether the first one who attaches ends the input by going.
    pub(crate) input_once: bool,
}

/// What a container prints, as long as it does.
#[derive(Debug)]
pub(crate) struct Output {
    hub: Hub,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    log: Option<Log>,
    sources: [Option<Source>; 2],
    terminal: Option<Outlet>,
    input: Option<OwnedFd>,
    input_once: bool,
    clients: Vec<Client>,
    next_client: u64,
}

/// A stream that is read.
#[derive(Debug)]
struct Source {
    hub: Hub,
    descriptor: OwnedFd,
    key: Key,
}

impl Drop for Source {
    fn drop(&mut self) {
        self.hub.forget(self.descriptor.as_fd(), self.key);
    }
}

/// Somebody who attached.
#[derive(Debug)]
struct Client {
    number: u64,
    /// Their ends of the output and of the errors; of a terminal there is one, for both ways.
    outlets: [Option<Outlet>; 2],
}

fn part(stream: Stream) -> u64 {
    match stream {
        Stream::Output => OUTPUT,
        Stream::Errors => ERRORS,
    }
}

fn index(stream: Stream) -> usize {
    match stream {
        Stream::Output => 0,
        Stream::Errors => 1,
    }
}

impl Output {
    /// Begins to watch.
    pub(crate) fn follow(hub: &Hub, ends: Ends, log: Option<Log>) -> io::Result<Arc<Self>> {
        let output = Arc::new(Self {
            hub: hub.clone(),
            state: Mutex::new(State {
                log,
                sources: [None, None],
                terminal: None,
                input: ends.input,
                input_once: ends.input_once,
                clients: Vec::new(),
                next_client: 0,
            }),
        });
        {
            let mut state = lock(&output.state);
            let streams = [(ends.output, Stream::Output), (ends.errors, Stream::Errors)];
            for (descriptor, stream) in streams {
                if let Some(descriptor) = descriptor {
                    state.sources[index(stream)] = Some(output.source(descriptor, stream)?);
                }
            }
            if let Some(terminal) = ends.terminal {
                let interest = EpollFlags::EPOLLIN;
                let outlet = Outlet::new(hub, terminal, interest, output.clone(), TERMINAL)?;
                state.terminal = Some(outlet);
            }
        }
        Ok(output)
    }

    fn source(self: &Arc<Self>, descriptor: OwnedFd, stream: Stream) -> io::Result<Source> {
        fcntl(&descriptor, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let interest = EpollFlags::EPOLLIN;
        let key = self
            .hub
            .watch(descriptor.as_fd(), interest, self.clone(), part(stream))?;
        Ok(Source {
            hub: self.hub.clone(),
            descriptor,
            key,
        })
    }

    /// Reads what is there. The program has ended: what it printed is there already, and whoever holds
    /// its streams still is none of it.
    pub(crate) fn finish(&self) {
        let mut state = lock(&self.state);
        for _ in 0..MOST_LEFT / PORTION {
            let more = state.read(Stream::Output) | state.read(Stream::Errors);
            if !(state.read_terminal() | more) {
                break;
            }
        }
        state.input = None;
        state.end_streams();
    }

    /// Joins: what is printed from now on, and the input.
    pub(crate) fn attach(self: &Arc<Self>) -> io::Result<Streams> {
        let mut state = lock(&self.state);
        let number = state.next_client;
        state.next_client += 1;
        let outlet_part = CLIENTS + 2 * number;
        let mut streams = Streams::default();
        let mut outlets = [None, None];
        if state.terminal.is_some() {
            let (ours, theirs) = socketpair(
                AddressFamily::Unix,
                SockType::Stream,
                None,
                SockFlag::SOCK_CLOEXEC,
            )?;
            let interest = EpollFlags::EPOLLIN;
            outlets[0] = Some(self.outlet(ours, interest, outlet_part)?);
            streams.terminal = Some(theirs);
        } else {
            let none = EpollFlags::empty();
            let (reader, writer) = pipe()?;
            outlets[0] = Some(self.outlet(writer.into(), none, outlet_part)?);
            streams.stdout = Some(reader.into());
            let (reader, writer) = pipe()?;
            outlets[1] = Some(self.outlet(writer.into(), none, outlet_part + 1)?);
            streams.stderr = Some(reader.into());
            streams.stdin = state.give_input()?;
        }
        state.clients.push(Client { number, outlets });
        Ok(streams)
    }

    fn outlet(
        self: &Arc<Self>,
        descriptor: OwnedFd,
        interest: EpollFlags,
        part: u64,
    ) -> io::Result<Outlet> {
        Outlet::new(&self.hub, descriptor, interest, self.clone(), part)
    }

    /// Begins a new log file.
    pub(crate) fn reopen_log(&self) -> io::Result<()> {
        lock(&self.state).log.as_mut().map_or(Ok(()), Log::reopen)
    }

    /// Tells the terminal its size; nothing without one.
    pub(crate) fn resize(&self, columns: u16, rows: u16) -> io::Result<()> {
        let state = lock(&self.state);
        state.terminal.as_ref().map_or(Ok(()), |terminal| {
            kernel::container::set_terminal_size(terminal.as_fd(), columns, rows)
        })
    }
}

impl Watched for Output {
    fn ready(self: Arc<Self>, part: u64, events: EpollFlags) {
        let mut state = lock(&self.state);
        match part {
            OUTPUT => drop(state.read(Stream::Output)),
            ERRORS => drop(state.read(Stream::Errors)),
            TERMINAL => state.serve_terminal(),
            part => {
                let part = part - CLIENTS;
                state.serve_client(part / 2, (part % 2) as usize, events);
            }
        }
    }
}

/// What one turn of reading gave.
enum Turn {
    Text(Vec<u8>),
    Nothing,
    End,
}

fn read(descriptor: BorrowedFd<'_>) -> Turn {
    let mut buffer = vec![0; PORTION];
    loop {
        match nix::unistd::read(descriptor, &mut buffer) {
            Ok(0) => return Turn::End,
            Ok(length) => {
                buffer.truncate(length);
                return Turn::Text(buffer);
            }
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Turn::Nothing,
            // A terminal whose inner side is closed.
            Err(_) => return Turn::End,
        }
    }
}

impl State {
    /// Reads a portion of a stream; says whether there may be more.
    fn read(&mut self, stream: Stream) -> bool {
        let Some(source) = &self.sources[index(stream)] else {
            return false;
        };
        match read(source.descriptor.as_fd()) {
            Turn::Text(text) => {
                self.print(stream, &text);
                true
            }
            Turn::Nothing => false,
            Turn::End => {
                self.end(stream);
                false
            }
        }
    }

    fn end(&mut self, stream: Stream) {
        self.sources[index(stream)] = None;
        self.log_with(|log, now| log.finish(stream, now));
        for client in &mut self.clients {
            let outlet = &mut client.outlets[index(stream)];
            match outlet {
                Some(open) if open.is_empty() => *outlet = None,
                // What is still to be written ends it later.
                Some(open) => open.read_no_more(),
                None => {}
            }
        }
        self.forget_clients();
    }

    /// Nobody prints any more.
    fn end_streams(&mut self) {
        self.end(Stream::Output);
        self.end(Stream::Errors);
        self.terminal = None;
    }

    fn print(&mut self, stream: Stream, text: &[u8]) {
        self.log_with(|log, now| log.write(stream, text, now));
        for client in &mut self.clients {
            let outlet = &mut client.outlets[index(stream)];
            if outlet
                .as_mut()
                .is_some_and(|outlet| outlet.push(text).is_err())
            {
                *outlet = None;
            }
        }
        self.forget_clients();
    }

    fn log_with(&mut self, write: impl FnOnce(&mut Log, SystemTime) -> io::Result<()>) {
        if let Some(log) = &mut self.log
            && let Err(error) = write(log, SystemTime::now())
        {
            tracing::warn!(%error, "a container's log can't be written");
        }
    }

    fn forget_clients(&mut self) {
        self.clients
            .retain(|client| client.outlets.iter().any(Option::is_some));
    }

    /// The input, to write to. It stays open when its user goes, unless it is to end with the first.
    fn give_input(&mut self) -> io::Result<Option<OwnedFd>> {
        if self.input_once {
            return Ok(self.input.take());
        }
        self.input.as_ref().map(OwnedFd::try_clone).transpose()
    }

    fn serve_terminal(&mut self) {
        let flushed = self.terminal.as_mut().map(Outlet::flush);
        if matches!(flushed, Some(Err(_))) {
            self.end_streams();
            return;
        }
        self.read_terminal();
    }

    fn read_terminal(&mut self) -> bool {
        let Some(terminal) = &self.terminal else {
            return false;
        };
        match read(terminal.as_fd()) {
            Turn::Text(text) => {
                self.print(Stream::Output, &text);
                true
            }
            Turn::Nothing => false,
            Turn::End => {
                self.end_streams();
                false
            }
        }
    }

    /// Somebody who attached has room, types, or has gone.
    fn serve_client(&mut self, number: u64, which: usize, events: EpollFlags) {
        let over = self.terminal.is_none() && self.sources[which].is_none();
        let found = self
            .clients
            .iter_mut()
            .find(|client| client.number == number);
        let Some(outlet) = found.map(|client| &mut client.outlets[which]) else {
            return;
        };
        let Some(open) = outlet else { return };
        let mut gone = open.flush().is_err() || (over && open.is_empty());
        let typed = events.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP);
        match &mut self.terminal {
            Some(terminal) if typed => match read(open.as_fd()) {
                Turn::Text(text) => {
                    // A terminal that takes nothing more has lost its program, which will be told.
                    if terminal.push(&text).is_err() {
                        open.read_no_more();
                    }
                }
                Turn::Nothing => {}
                // Who types no more may still listen.
                Turn::End if events.contains(EpollFlags::EPOLLHUP) => gone = true,
                Turn::End => open.read_no_more(),
            },
            _ => gone |= events.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP),
        }
        if gone {
            *outlet = None;
            self.forget_clients();
        }
    }
}

#[cfg(test)]
mod tests;

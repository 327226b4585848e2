//! Where a kubelet is: its node's network and its node's files.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use tokio::net::{TcpListener, TcpStream};

/// Something that takes a while.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A node's network.
pub trait Place: Send + Sync {
    /// A connection from the node to an address.
    fn connect(&self, to: SocketAddr) -> Later<'_, io::Result<TcpStream>>;

    /// A listener at an address of the node.
    fn listen(&self, at: SocketAddr) -> Later<'_, io::Result<TcpListener>>;
}

/// The network of the program's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Here;

impl Place for Here {
    fn connect(&self, to: SocketAddr) -> Later<'_, io::Result<TcpStream>> {
        Box::pin(TcpStream::connect(to))
    }

    fn listen(&self, at: SocketAddr) -> Later<'_, io::Result<TcpListener>> {
        Box::pin(TcpListener::bind(at))
    }
}

/// What a path of the node's leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A Unix socket.
    Socket,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// Anything else.
    Other,
}

/// Memory as directories on the kubelet's side. Calls block.
pub trait Memory: Send + Sync {
    /// Mounts an empty file system at a directory, that holds so many bytes at most.
    ///
    /// # Errors
    /// It can't be mounted.
    fn mount(&self, at: &Path, size: u64) -> io::Result<()>;

    /// Takes it away with all in it; where nothing is mounted nothing is done.
    ///
    /// # Errors
    /// It can't be taken away.
    fn unmount(&self, at: &Path) -> io::Result<()>;
}

/// The files of a node, as its programs see them. Calls block.
pub trait NodeFiles: Send + Sync {
    /// What is at a path, links followed; `None` where nothing is.
    ///
    /// # Errors
    /// It can't be told.
    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>>;

    /// Makes a directory, and those above it, with mode 0755.
    ///
    /// # Errors
    /// It can't be made.
    fn make_directory(&self, path: &Path) -> io::Result<()>;

    /// Makes an empty file with mode 0644; the directory above it must be there.
    ///
    /// # Errors
    /// It can't be made.
    fn make_file(&self, path: &Path) -> io::Result<()>;

    /// What a file says.
    ///
    /// # Errors
    /// It can't be read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
}

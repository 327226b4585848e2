//! Which protocols there are, and their names.

/// A version of the remote command protocol
/// (<https://pkg.go.dev/k8s.io/apimachinery/pkg/util/remotecommand>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// What Kubernetes 1.0 spoke.
    V1,
    /// Streams that stay open.
    V2,
    /// With a stream for the terminal's size.
    V3,
    /// With the exit code in a `Status` on the error stream.
    V4,
    /// With a way to close one stream over WebSocket.
    V5,
}

impl Version {
    /// The versions, newest first, as a server prefers them.
    pub(crate) const ALL: [Self; 5] = [Self::V5, Self::V4, Self::V3, Self::V2, Self::V1];

    /// Its name in `X-Stream-Protocol-Version`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V1 => "channel.k8s.io",
            Self::V2 => "v2.channel.k8s.io",
            Self::V3 => "v3.channel.k8s.io",
            Self::V4 => "v4.channel.k8s.io",
            Self::V5 => "v5.channel.k8s.io",
        }
    }

    /// Whether the terminal's size has a stream.
    pub(crate) fn resizes(self) -> bool {
        self >= Self::V3
    }

    /// Whether the error stream carries a `Status`, and not a message.
    pub(crate) fn tells_status(self) -> bool {
        self >= Self::V4
    }

    /// Whether a client may close one channel of a WebSocket.
    pub(crate) fn closes(self) -> bool {
        self >= Self::V5
    }
}

/// How bytes are put into a WebSocket's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The channel's number and the bytes.
    Binary,
    /// The channel's digit and the bytes in base64.
    Base64,
}

/// What an exec or attach speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecProtocol {
    /// Channels over WebSocket.
    WebSocket(Version, Encoding),
    /// Streams over SPDY.
    Spdy(Version),
}

/// What a port-forward speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardProtocol {
    /// Two channels for each of these ports, over WebSocket.
    WebSocket(Encoding, Vec<u16>),
    /// SPDY in a WebSocket's messages.
    Tunnel,
    /// SPDY.
    Spdy,
}

/// SPDY's subprotocol for port-forward.
pub(crate) const PORT_FORWARD: &str = "portforward.k8s.io";
/// WebSocket's subprotocol for port-forward over tunnelled SPDY.
pub(crate) const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

/// The subprotocols of WebSocket for exec; a client that names none gets the last.
pub(crate) const EXEC_CHANNELS: [(&str, Version, Encoding); 7] = [
    ("v5.channel.k8s.io", Version::V5, Encoding::Binary),
    ("v5.base64.channel.k8s.io", Version::V5, Encoding::Base64),
    ("v4.channel.k8s.io", Version::V4, Encoding::Binary),
    ("v4.base64.channel.k8s.io", Version::V4, Encoding::Base64),
    ("base64.channel.k8s.io", Version::V1, Encoding::Base64),
    ("channel.k8s.io", Version::V1, Encoding::Binary),
    ("", Version::V1, Encoding::Binary),
];

/// The subprotocols of WebSocket for port-forward by channels.
pub(crate) const FORWARD_CHANNELS: [(&str, Encoding); 3] = [
    ("v4.channel.k8s.io", Encoding::Binary),
    ("v4.base64.channel.k8s.io", Encoding::Base64),
    ("", Encoding::Binary),
];

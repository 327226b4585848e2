//! The streams of `kubectl exec`, `attach`, `port-forward` and `cp`, server side.
//!
//! A client asks for an upgrade; [`negotiate_exec`] and [`negotiate_port_forward`] answer it, and
//! [`serve_exec`] and [`serve_port_forward`] speak the protocol that was agreed on over what the upgrade
//! left. Modelled on the streaming server that kubelets and container runtimes share
//! (<https://pkg.go.dev/k8s.io/kubelet/pkg/cri/streaming>):
//!
//! * **WebSocket** (RFC 6455) with a channel number before each message: `v5.channel.k8s.io` with its
//!   half-close, `v4.channel.k8s.io`, `channel.k8s.io`, none, and their base64 forms; for port-forward the
//!   two channels a port of `v4.channel.k8s.io`, and SPDY tunnelled in messages
//!   (`SPDY/3.1+portforward.k8s.io`, kubectl 1.30 and on).
//! * **SPDY/3.1** with a stream each for input, output, errors, the status and the terminal's size; for
//!   port-forward a pair of streams a connection.
//!
//! Not modelled: SPDY's own flow control. Kubernetes' clients neither send `WINDOW_UPDATE` nor heed it, so a
//! server that waited for it would stop at 64 KiB. A stream that isn't read holds up its session once its
//! queue is full, as upstream.

mod carrier;
mod channel;
mod exec;
mod forward;
mod negotiate;
mod outbound;
mod protocol;
mod query;
mod spdy;
mod status;
mod wanted;

pub use carrier::Ended;
pub use exec::{Exec, Size, serve_exec};
pub use forward::{Target, serve_port_forward};
pub use negotiate::{Accepted, Refusal, negotiate_exec, negotiate_port_forward};
pub use protocol::{Encoding, ExecProtocol, ForwardProtocol, Version};
pub use status::Exit;
pub use wanted::{NothingWanted, Wanted};

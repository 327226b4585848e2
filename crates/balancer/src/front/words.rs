//! What is said of a listener, ready for use; requests read it anew each time, so they obey a change at
//! once and their connections stay.

use super::Seal;
use crate::live::Pool;
use crate::matcher::Matcher;
use crate::means::Means;
use crate::tls;
use fabric::balancer::http::Http;
use fabric::balancer::{Listener, Stream};
use fabric::id::{BalancerId, PoolId};
use http::HeaderValue;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// The pools of a balancer.
pub(crate) type Pools = HashMap<PoolId, Arc<Pool>>;

/// A listener while it is open.
pub(crate) struct Front {
    /// The port that it listens at.
    pub(crate) port: u16,
    /// The same as a header says it.
    pub(crate) port_value: HeaderValue,
    /// What the node can do.
    pub(crate) means: Means,
    /// Seals cookies.
    pub(crate) seal: Seal,
    words: RwLock<Arc<ListenerWords>>,
    closing: watch::Sender<bool>,
}

/// What is said of a listener.
pub(crate) struct ListenerWords {
    /// The balancer.
    pub(crate) balancer: BalancerId,
    /// All that is said.
    pub(crate) listener: Arc<Listener>,
    /// What it does with connections.
    pub(crate) service: Service,
    /// The TLS that clients speak, if they do.
    pub(crate) tls: Option<tls::Listening>,
    /// The balancer's pools.
    pub(crate) pools: Arc<Pools>,
}

/// What a listener does with connections.
#[derive(Clone)]
pub(crate) enum Service {
    /// Passes on bytes.
    Stream(Stream),
    /// Passes on requests.
    Http(Arc<HttpWords>),
}

/// What is said of a listener that passes on requests.
pub(crate) struct HttpWords {
    /// All that is said.
    pub(crate) http: Http,
    /// Its rules, compiled.
    pub(crate) matcher: Matcher,
}

impl Front {
    /// A listener that opens.
    pub(crate) fn new(port: u16, means: Means, words: Arc<ListenerWords>) -> Self {
        let seal = Seal::new(means.vault.cookie_key());
        Self {
            port,
            port_value: port.into(),
            means,
            seal,
            words: RwLock::new(words),
            closing: watch::Sender::new(false),
        }
    }

    /// What is said of it now.
    pub(crate) fn words(&self) -> Arc<ListenerWords> {
        let words = self.words.read().unwrap_or_else(PoisonError::into_inner);
        words.clone()
    }

    /// Something else is said of it from now on.
    pub(crate) fn say(&self, words: Arc<ListenerWords>) {
        *self.words.write().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// It closes: no new connections, and no new requests in old ones.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Tells when it closes.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }
}

//! What a line of the log says about one request. It fills on the request's way and is written when the
//! answer is sent, or given up.

use super::{application, classic};
use crate::exchange::Progress;
use crate::front::{Class, Client, ListenerWords, TRACE_ID, addressed, is_grpc};
use crate::own::Refusal;
use crate::stream::Carried;
use fabric::balancer::http::{Dialect, Outcome, Rule};
use fabric::id::{BalancerId, PoolId};
use http::header::USER_AGENT;
use http::{Version, request};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// What a line says about a request.
pub(crate) struct Entry {
    dialect: Dialect,
    pub(super) balancer: BalancerId,
    pub(super) client: Arc<Client>,
    pub(super) kind: &'static str,
    pub(super) created: SystemTime,
    pub(super) start: Instant,
    pub(super) sending: Option<Instant>,
    pub(super) answered: Option<Instant>,
    pub(super) target: Option<SocketAddr>,
    pub(super) status: Option<u16>,
    pub(super) target_status: Option<u16>,
    pub(super) received: u64,
    progress: Option<Arc<Progress>>,
    pub(super) sent: u64,
    pub(super) request: String,
    pub(super) agent: Option<String>,
    pub(super) pool: Option<PoolId>,
    pub(super) trace: Option<String>,
    pub(super) priority: Option<u32>,
    pub(super) actions: Option<String>,
    pub(super) redirect: Option<String>,
    pub(super) reason: Option<&'static str>,
    pub(super) class: Option<(&'static str, &'static str)>,
}

impl Entry {
    /// About a request that has come.
    pub(crate) fn new(
        words: &ListenerWords,
        client: &Arc<Client>,
        dialect: Dialect,
        head: &request::Parts,
    ) -> Self {
        let mut entry = Self::blank(words, client, dialect);
        let to = addressed(client, head);
        let version = match head.version {
            Version::HTTP_2 => "HTTP/2.0",
            Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        };
        let query = to
            .query
            .map_or_else(String::new, |query| format!("?{query}"));
        entry.request = format!(
            "{} {}://{}:{}{}{query} {version}",
            head.method, to.protocol, to.host, to.port, to.path
        );
        if head.version == Version::HTTP_2 {
            entry.kind = if is_grpc(&head.headers) {
                "grpcs"
            } else {
                "h2"
            };
        }
        let text = |name| {
            let value = head.headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        entry.agent = text(USER_AGENT);
        entry.trace = text(TRACE_ID);
        let line = entry.request.len() as u64;
        let headers = head.headers.iter();
        let headers: usize = headers
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum();
        entry.received = line + headers as u64;
        entry
    }

    fn blank(words: &ListenerWords, client: &Arc<Client>, dialect: Dialect) -> Self {
        Self {
            dialect,
            balancer: words.balancer.clone(),
            client: client.clone(),
            kind: if client.tls.is_some() {
                "https"
            } else {
                "http"
            },
            created: SystemTime::now(),
            start: Instant::now(),
            sending: None,
            answered: None,
            target: None,
            status: None,
            target_status: None,
            received: 0,
            progress: None,
            sent: 0,
            request: "- - - ".to_owned(),
            agent: None,
            pool: None,
            trace: None,
            priority: None,
            actions: None,
            redirect: None,
            reason: None,
            class: None,
        }
    }

    /// About something that came and isn't a request.
    pub(crate) fn unparsed(
        words: &ListenerWords,
        client: &Arc<Client>,
        dialect: Dialect,
        refusal: Refusal,
    ) -> Self {
        let mut entry = Self::blank(words, client, dialect);
        entry.status = Some(refusal.status());
        entry
    }

    /// How far it keeps to the standard.
    pub(crate) fn classified(&mut self, class: Class) {
        self.class = match class {
            Class::Compliant => None,
            Class::Acceptable(why) => Some(("Acceptable", why)),
            Class::Ambiguous(why) => Some(("Ambiguous", why)),
        };
    }

    /// Which rule took it.
    pub(crate) fn decided(&mut self, rule: &Rule) {
        self.priority = Some(rule.priority);
        let mut actions = String::new();
        if rule.action.authenticate.is_some() {
            actions.push_str("authenticate,");
        }
        actions.push_str(match &rule.action.outcome {
            Outcome::Forward(_) => "forward",
            Outcome::Redirect(_) => "redirect",
            Outcome::Fixed(_) => "fixed-response",
        });
        self.actions = Some(actions);
    }

    /// Where its client is sent.
    pub(crate) fn redirected(&mut self, location: String) {
        self.redirect = Some(location);
    }

    /// Which pool it is for.
    pub(crate) fn pool(&mut self, pool: &PoolId) {
        self.pool = Some(pool.clone());
    }

    /// A member is given it.
    pub(crate) fn sending(&mut self, to: SocketAddr) {
        self.target = Some(to);
        self.sending = Some(Instant::now());
    }

    /// How its body comes along.
    pub(crate) fn received(&mut self, progress: Arc<Progress>) {
        self.progress = Some(progress);
    }

    /// The member's answer begins.
    pub(crate) fn target_answered(&mut self, status: u16) {
        self.target_status = Some(status);
        self.answered = Some(Instant::now());
    }

    /// It is refused.
    pub(crate) fn refused(&mut self, refusal: Refusal) {
        self.reason = refusal.reason();
    }

    /// The client gets an answer with a status, and perhaps a known length.
    pub(crate) fn answered(&mut self, status: u16, length: Option<u64>) {
        self.status = Some(status);
        if self.target_status.is_none() {
            self.sent += length.unwrap_or(0);
        }
    }

    /// The connection carries something else from now on.
    pub(crate) fn upgraded(&mut self, status: u16) {
        self.status = Some(status);
        self.kind = if self.kind == "https" { "wss" } else { "ws" };
    }

    /// It carried this.
    pub(crate) fn carried(&mut self, carried: Carried) {
        self.received += carried.from_client;
        self.sent += carried.to_client;
    }

    /// Bytes of the body were sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// All bytes of it that came.
    pub(super) fn bytes_received(&self) -> u64 {
        self.received
            + self
                .progress
                .as_ref()
                .map_or(0, |progress| progress.bytes())
    }

    /// Seconds between its steps: until it was sent on, until the answer began, until that was sent.
    pub(super) fn times(&self, digits: usize) -> String {
        let (Some(sending), end) = (self.sending, Instant::now()) else {
            return "-1 -1 -1".to_owned();
        };
        let Some(answered) = self.answered else {
            return "-1 -1 -1".to_owned();
        };
        let mut times = String::new();
        for (from, to) in [(self.start, sending), (sending, answered), (answered, end)] {
            let seconds = to.saturating_duration_since(from).as_secs_f64();
            // Writing to a string can't fail.
            let _ = write!(times, "{seconds:.digits$} ");
        }
        times.pop();
        times
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let line = match self.dialect {
            Dialect::AwsClassic => classic::line(self),
            Dialect::AwsApplication | Dialect::AwsNetwork => application::line(self),
        };
        self.client.front.means.journal.write(line);
    }
}

//! A question's way through the plugins of its server block, in CoreDNS's order:
//! loadbalance, cache, rewrite, template, hosts, kubernetes, loop, forward.

use super::Trouble;
use super::upstream::Upstreams;
use crate::answer::Answer;
use crate::corefile::{Block, Config};
use crate::message::Asked;
use crate::metrics::{Family, Metrics};
use crate::plugin::cache::{Cache, Kind};
use crate::plugin::hosts::Table;
use crate::plugin::rewrite::rewrite;
use crate::question::{Question, within};
use crate::random;
use crate::zone::{Found, Zone};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;
use tokio::sync::mpsc;

/// Aliases lead from one name to another so many times at most.
const ALIASES: usize = 8;
/// A server's question to itself comes back so many times at most, unless it goes round.
const SEEN: u32 = 2;

/// All server blocks.
pub(crate) struct Server {
    pub(crate) blocks: Vec<Serving>,
    pub(crate) zone: Arc<RwLock<Zone>>,
    pub(crate) metrics: Arc<Metrics>,
    /// Where a loop is told.
    troubled: mpsc::Sender<Trouble>,
}

/// A server block at work.
pub(crate) struct Serving {
    pub(crate) block: Block,
    cache: Option<Mutex<Cache>>,
    pub(crate) hosts: RwLock<Table>,
    forwards: Vec<Upstreams>,
    /// A name that nobody else asks for, to find out whether questions go round.
    pub(crate) probe: Option<Name>,
    seen: AtomicU32,
}

/// The block and zone that a question belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) serving: &'a Serving,
    pub(crate) zone: &'a str,
    /// Where it was asked, as metrics name it.
    pub(crate) server: &'a str,
}

impl Server {
    /// Makes a configuration work.
    ///
    /// # Errors
    /// Name servers can't be found.
    pub(crate) fn new(
        config: Config,
        zone: Arc<RwLock<Zone>>,
        metrics: Arc<Metrics>,
        troubled: mpsc::Sender<Trouble>,
    ) -> io::Result<Self> {
        let mut blocks = Vec::new();
        for block in config.blocks {
            let forwards = block.forwards.iter().cloned();
            let forwards: io::Result<_> = forwards
                .map(|forward| Upstreams::new(forward, metrics.clone()))
                .collect();
            let probe = format!("{}.{}.", random::number(), random::number());
            let serving = Serving {
                cache: block
                    .cache
                    .clone()
                    .map(|cache| Mutex::new(Cache::new(cache))),
                hosts: RwLock::default(),
                forwards: forwards?,
                probe: Name::from_ascii(probe).ok().filter(|_| block.detects_loops),
                seen: AtomicU32::new(0),
                block,
            };
            serving.read_hosts(&metrics);
            blocks.push(serving);
        }
        Ok(Self {
            blocks,
            zone,
            metrics,
            troubled,
        })
    }

    /// The block whose zone is the longest that a name is in.
    pub(crate) fn scope<'a>(
        &'a self,
        at: SocketAddr,
        server: &'a str,
        name: &str,
    ) -> Option<Scope<'a>> {
        let here = |serving: &&Serving| serving.block.addresses(at.port()).contains(&at);
        self.blocks
            .iter()
            .filter(here)
            .flat_map(|serving| {
                serving
                    .block
                    .served
                    .iter()
                    .map(move |served| (serving, served))
            })
            .filter(|(_, (zone, port))| *port == at.port() && within(name, zone))
            .max_by_key(|(_, (zone, _))| zone.len())
            .map(|(serving, (zone, _))| Scope {
                serving,
                zone,
                server,
            })
    }

    /// Answers a question; `round` says how many aliases led to it.
    pub(crate) fn answer<'a>(
        &'a self,
        at: SocketAddr,
        scope: Scope<'a>,
        asked: &'a Asked,
        round: usize,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async move {
            let mut answer = match self.cached(scope, asked) {
                Some(answer) => answer,
                None => self.uncached(at, scope, asked, round).await,
            };
            if scope.serving.block.loadbalance {
                balance(&mut answer.answers);
            }
            answer
        })
    }

    fn cached(&self, scope: Scope<'_>, asked: &Asked) -> Option<Answer> {
        let cache = scope.serving.cache.as_ref()?;
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        if !cache.takes(&asked.question.text) {
            return None;
        }
        let labels = [
            ("server", scope.server),
            ("zones", scope.zone),
            ("view", ""),
        ];
        self.metrics.count(Family::CacheRequests, &labels);
        let Some((kind, answer)) = cache.get(&asked.question, asked.signed(), Instant::now())
        else {
            self.metrics.count(Family::CacheMisses, &labels);
            return None;
        };
        let [server, zones, view] = labels;
        let labels = [server, ("type", kind.name()), zones, view];
        self.metrics.count(Family::CacheHits, &labels);
        Some(answer)
    }

    async fn uncached(
        &self,
        at: SocketAddr,
        scope: Scope<'_>,
        asked: &Asked,
        round: usize,
    ) -> Answer {
        let mut asked_for = asked.clone();
        let rewritten = rewrite(&scope.serving.block.rewrites, &mut asked_for.question);
        let mut answer = self.beyond(at, scope, &asked_for, round).await;
        rewritten.revert(&mut answer);
        let Some(cache) = &scope.serving.cache else {
            return answer;
        };
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.takes(&asked.question.text) {
            let signed = asked.signed();
            cache.put(&asked.question, signed, &mut answer, Instant::now());
            for kind in [Kind::Success, Kind::Denial] {
                let labels = [
                    ("server", scope.server),
                    ("type", kind.name()),
                    ("zones", scope.zone),
                    ("view", ""),
                ];
                let count = u32::try_from(cache.count(kind)).unwrap_or(u32::MAX);
                self.metrics
                    .set(Family::CacheEntries, &labels, count.into());
            }
        }
        answer
    }

    /// What the plugins behind the cache say.
    async fn beyond(
        &self,
        at: SocketAddr,
        scope: Scope<'_>,
        asked: &Asked,
        round: usize,
    ) -> Answer {
        let Scope { serving, .. } = scope;
        let block = &serving.block;
        let question = &asked.question;
        let mut templates = block.templates.iter();
        if let Some(answer) = templates.find_map(|template| template.answer(question)) {
            return answer;
        }
        if let Some(answer) = serving.known_to_hosts(question) {
            return answer;
        }
        if let Some(kubernetes) = &block.kubernetes {
            let found = {
                let zone = self.zone.read().unwrap_or_else(PoisonError::into_inner);
                zone.answer(kubernetes, question)
            };
            match found {
                Found::Answer(answer) => return answer,
                Found::Alias(answer, target) => {
                    return self.follow(at, scope, asked, answer, target, round).await;
                }
                Found::Pass => {}
            }
        }
        self.notice(serving, question);
        for upstreams in &serving.forwards {
            if upstreams.settings.takes(&question.text) {
                return match upstreams.ask(asked).await {
                    Ok(answer) => answer,
                    Err(error) => {
                        if block.errors {
                            let Question { text, kind, .. } = question;
                            tracing::error!("plugin/errors: 2 {text} {kind}: {error}");
                        }
                        let code = match error {
                            super::upstream::Failure::TooMany(_) => ResponseCode::Refused,
                            _ => ResponseCode::ServFail,
                        };
                        Answer::empty(code, "")
                    }
                };
            }
        }
        Answer::empty(ResponseCode::ServFail, "")
    }

    /// Goes on with what an alias stands for, as if the client had asked this server for it.
    async fn follow(
        &self,
        at: SocketAddr,
        scope: Scope<'_>,
        asked: &Asked,
        mut answer: Answer,
        target: Name,
        round: usize,
    ) -> Answer {
        if round >= ALIASES {
            return Answer::empty(ResponseCode::ServFail, "");
        }
        let next = Asked {
            question: Question::new(target, asked.question.kind),
            ..asked.clone()
        };
        if let Some(scope) = self.scope(at, scope.server, &next.question.text) {
            let more = self.answer(at, scope, &next, round + 1).await;
            answer.truncated |= more.truncated;
            answer.answers.extend(more.answers);
        }
        answer
    }

    /// Notices a question of one's own that comes back.
    fn notice(&self, serving: &Serving, question: &Question) {
        let Some(probe) = &serving.probe else {
            return;
        };
        if question.kind == RecordType::HINFO
            && question.name == *probe
            && serving.seen.fetch_add(1, Ordering::Relaxed) >= SEEN
        {
            let told = format!("HINFO IN {probe}");
            // One trouble is enough.
            let _ = self.troubled.try_send(Trouble::Loop(told));
        }
    }
}

impl Serving {
    /// Reads the file of hosts, if there is one.
    pub(crate) fn read_hosts(&self, metrics: &Metrics) {
        let Some(hosts) = &self.block.hosts else {
            return;
        };
        // A file that isn't there has no hosts; the Corefile's own lines hold.
        let text = std::fs::read_to_string(&hosts.file).unwrap_or_default();
        let table = hosts.table(&text);
        let entries = u32::try_from(table.len()).unwrap_or(u32::MAX);
        metrics.set(Family::HostsEntries, &[], entries.into());
        *self.hosts.write().unwrap_or_else(PoisonError::into_inner) = table;
    }

    fn known_to_hosts(&self, question: &Question) -> Option<Answer> {
        let hosts = self.block.hosts.as_ref()?;
        let table = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        hosts.answer(&table, question)
    }
}

/// Puts addresses into any order, behind the aliases that lead to them.
fn balance(records: &mut Vec<Record>) {
    let (mut aliases, rest): (Vec<_>, Vec<_>) = std::mem::take(records)
        .into_iter()
        .partition(|record| matches!(record.data, RData::CNAME(_)));
    let (mut addresses, rest): (Vec<_>, Vec<_>) = rest
        .into_iter()
        .partition(|record| matches!(record.data, RData::A(_) | RData::AAAA(_) | RData::MX(_)));
    random::shuffle(&mut addresses);
    aliases.extend(rest);
    aliases.extend(addresses);
    *records = aliases;
}

//! A request's way: inspected, decided on, and what the rule says.

use super::body::{Answer, Unanswered};
use super::inspect::{host, inspect};
use super::words::{HttpWords, ListenerWords, Service};
use super::{Client, forward, headers};
use crate::auth::{self, Passage};
use crate::journal::Entry;
use crate::own::{self, Refusal};
use fabric::balancer::http::{self as rules, Addressed, Dialect, Outcome, Rule};
use http::header::{CONNECTION, HeaderMap};
use http::{HeaderValue, Request, Response, request};
use hyper::body::{Body, Incoming};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// Answers a request.
pub(crate) async fn handle(
    client: Arc<Client>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let unanswered = Unanswered::new(&client);
    let words = client.front.words();
    let Service::Http(http) = &words.service else {
        // The listener no longer understands requests, and the connection is about to close.
        let refused = own::refuse(Refusal::NoMember, Dialect::AwsApplication, true);
        return Ok(refused.map(Answer::own));
    };
    let (head, body) = request.into_parts();
    let mut entry = http
        .http
        .access_log
        .then(|| Box::new(Entry::new(&words, &client, http.http.dialect, &head)));
    let mut way = Way {
        words: &words,
        http,
        client: &client,
        entry: &mut entry,
    };
    let mut response = match way.go(head, body).await {
        Ok(response) => response,
        Err(refusal) => way.refuse(refusal),
    };
    let age = Duration::from_secs(http.http.client_keep_alive.into());
    if client.born.elapsed() >= age {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    if let Some(entry) = &mut entry {
        entry.answered(
            response.status().as_u16(),
            response.body().size_hint().exact(),
        );
    }
    Ok(response.map(|body| body.to(unanswered, entry)))
}

/// A request's way, and what it needs to know.
pub(crate) struct Way<'a> {
    pub(crate) words: &'a ListenerWords,
    pub(crate) http: &'a HttpWords,
    pub(crate) client: &'a Arc<Client>,
    pub(crate) entry: &'a mut Option<Box<Entry>>,
}

/// Headers as rules see them.
struct Seen<'a>(&'a HeaderMap);

impl rules::Headers for Seen<'_> {
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let mut values = self.0.get_all(name).iter();
        values.any(|value| test(value.as_bytes()))
    }
}

impl Way<'_> {
    async fn go(
        &mut self,
        mut head: request::Parts,
        body: Incoming,
    ) -> Result<Response<Answer>, Refusal> {
        let class = inspect(&head, self.http.http.desync)?;
        if let Some(entry) = &mut self.entry {
            entry.classified(class);
        }
        if let Some(rule) = self.called_back(&head) {
            return self.sign_in(&rule, &head).await;
        }
        let rule = self.decide(&head).clone();
        if let Some(entry) = &mut self.entry {
            entry.decided(&rule);
        }
        if rule.action.authenticate.is_some()
            && let Some(answer) = Box::pin(self.authenticate(&rule, &mut head)).await?
        {
            return Ok(answer);
        }
        match &rule.action.outcome {
            Outcome::Forward(to) => forward::forward(self, to, head, body).await,
            Outcome::Redirect(redirect) => {
                let location = redirect.location(&addressed(self.client, &head));
                let response = own::redirect(redirect.status, &location, self.says_server());
                if let Some(entry) = &mut self.entry {
                    entry.redirected(location);
                }
                Ok(self.own(response))
            }
            Outcome::Fixed(fixed) => Ok(self.own(own::fixed(fixed, self.says_server()))),
        }
    }

    fn decide(&self, head: &request::Parts) -> &Arc<Rule> {
        let request = rules::Request {
            method: head.method.as_str(),
            host: host(head),
            path: head.uri.path(),
            query: head.uri.query(),
            headers: &Seen(&head.headers),
            source: self.client.peer.ip(),
        };
        self.http.matcher.decide(&request)
    }

    /// The rule for which an identity provider sends a user back, if this request is that.
    fn called_back(&self, head: &request::Parts) -> Option<Arc<Rule>> {
        if head.uri.path() != auth::CALLBACK {
            return None;
        }
        let id = auth::rule_called_back(self.client, head)?;
        let rules = self.http.http.rules.iter();
        let mut all = rules.chain(std::iter::once(&self.http.http.default));
        all.find(|rule| rule.id == id && rule.action.authenticate.is_some())
            .cloned()
    }

    async fn sign_in(
        &mut self,
        rule: &Rule,
        head: &request::Parts,
    ) -> Result<Response<Answer>, Refusal> {
        let Some(authenticate) = &rule.action.authenticate else {
            return Err(Refusal::BadRequest);
        };
        let answer = Box::pin(auth::sign_in(authenticate, self.client, head)).await?;
        Ok(self.own(answer))
    }

    /// Asks who the user is; an answer, if the request goes no further.
    async fn authenticate(
        &mut self,
        rule: &Rule,
        head: &mut request::Parts,
    ) -> Result<Option<Response<Answer>>, Refusal> {
        let Some(authenticate) = &rule.action.authenticate else {
            return Ok(None);
        };
        let balancer = &self.words.balancer;
        match auth::pass(authenticate, &rule.id, balancer, self.client, head).await? {
            Passage::Go(told) => {
                for (name, value) in told {
                    head.headers.insert(name, value);
                }
                Ok(None)
            }
            Passage::Answer(answer) => Ok(Some(self.own(answer))),
        }
    }

    fn says_server(&self) -> bool {
        self.http.http.headers.server
    }

    fn own(&self, response: Response<bytes::Bytes>) -> Response<Answer> {
        let (mut head, body) = response.into_parts();
        headers::finish(&mut head.headers, &self.http.http);
        Response::from_parts(head, Answer::own(body))
    }

    fn refuse(&mut self, refusal: Refusal) -> Response<Answer> {
        if let Some(entry) = &mut self.entry {
            entry.refused(refusal);
        }
        let dialect = self.http.http.dialect;
        let mut answer = self.own(own::refuse(refusal, dialect, self.says_server()));
        if refusal.ends_connection() {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
        }
        answer
    }
}

/// What a request is addressed to.
pub(crate) fn addressed<'a>(client: &Client, head: &'a request::Parts) -> Addressed<'a> {
    Addressed {
        protocol: if client.tls.is_some() {
            "https"
        } else {
            "http"
        },
        host: host(head),
        port: client.front.port,
        path: head.uri.path(),
        query: head.uri.query(),
    }
}

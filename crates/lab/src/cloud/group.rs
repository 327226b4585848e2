//! A group of requests that are committed together.

use super::{Failure, Reply};
use aws::model::State;

/// As many requests share a commit at most; more would make the first of them wait.
pub(super) const LIMIT: usize = 64;

/// Requests carried out on a working state, waiting for it to be stored.
pub(super) struct Group {
    before: State,
    working: State,
    waiting: Vec<(String, Reply)>,
}

impl Group {
    pub(super) fn begin(state: &State) -> Self {
        Self {
            before: state.clone(),
            working: state.clone(),
            waiting: Vec::new(),
        }
    }

    /// Carries out one request. What changed nothing is answered at once, unless an earlier
    /// request's uncommitted change may show in its answer.
    pub(super) fn step(
        &mut self,
        request: String,
        operation: impl FnOnce(&State) -> (Option<State>, Reply),
    ) {
        let (changed, reply) = operation(&self.working);
        match changed {
            Some(state) => self.working = state,
            None if self.waiting.is_empty() => return reply(Ok(())),
            None => {}
        }
        self.waiting.push((request, reply));
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn before(&self) -> &State {
        &self.before
    }

    pub(super) fn working(&self) -> &State {
        &self.working
    }

    /// The ids of the requests that wait, for the log.
    pub(super) fn requests(&self) -> String {
        let ids: Vec<_> = self.waiting.iter().map(|(id, _)| id.as_str()).collect();
        ids.join(" ")
    }

    /// Answers everybody.
    pub(super) fn answer(self, outcome: &Result<(), Failure>) {
        for (_, reply) in self.waiting {
            reply(outcome.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use aws::model::Settings;
    use std::sync::mpsc::channel;

    fn state() -> State {
        State::empty(Settings {
            account: "123456789012".to_owned(),
            seed: 1,
        })
    }

    /// Rule 4: an answer that shows an uncommitted change waits for the commit; a refusal with
    /// nothing before it doesn't.
    #[test]
    fn answers_wait_for_what_they_show() {
        let (tell, told) = channel();
        let reply = |name: &'static str| -> Reply {
            let tell = tell.clone();
            Box::new(move |outcome| tell.send((name, outcome)).unwrap())
        };
        let mut group = Group::begin(&state());
        let refused = reply("refused");
        group.step("r-0".into(), |_| (None, refused));
        assert_eq!(told.try_recv().unwrap(), ("refused", Ok(())));
        let (changed, read) = (reply("changed"), reply("read"));
        group.step("r-1".into(), |state| {
            let mut state = state.clone();
            state.ids_made += 1;
            (Some(state), changed)
        });
        group.step("r-2".into(), |state| {
            assert_eq!(state.ids_made, 1);
            (None, read)
        });
        assert!(told.try_recv().is_err());
        assert_eq!(group.requests(), "r-1 r-2");
        let outcome = Err(Failure::Store("disk full".into()));
        group.answer(&outcome);
        assert_eq!(told.recv().unwrap(), ("changed", outcome.clone()));
        assert_eq!(told.recv().unwrap(), ("read", outcome));
    }
}

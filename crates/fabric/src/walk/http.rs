//! Requests at a balancer's node: which rule takes one, and where it leads.

use super::Walker;
use super::balancer::Taken;
use super::journey::Draws;
use super::onward::Onward;
use crate::balancer::http::{Http, Outcome, Request, Rule, Weighted, decide};
use crate::{Chosen, Direction, Hop, HopAction, RuleId, Trace};

impl<'a> Walker<'a> {
    /// Where a request goes on that ended a connection's way to a node. Without the request any rule
    /// may have to do with it.
    pub(super) fn by_rules(
        &self,
        taken: Taken<'a>,
        http: &'a Http,
        request: Option<&Request<'_>>,
        trace: &mut Trace,
        draws: &mut Draws,
    ) -> Onward<'a> {
        let rule = match request {
            Some(request) => Some(decide(http, request).rule),
            None => any_rule(taken, http, draws),
        };
        let Some(rule) = rule else {
            return Onward::Unknown(format!("{} has no rules", taken.listener.id));
        };
        let (said, onward) = match &rule.action.outcome {
            Outcome::Fixed(fixed) => (format!("answers {} itself", fixed.status), Onward::Answered),
            Outcome::Redirect(_) => ("sends the client elsewhere".to_owned(), Onward::Answered),
            Outcome::Forward(forward) => any_pool(taken, &forward.pools, draws),
        };
        let asked = match request {
            Some(request) => format!("{} {}{}", request.method, request.host, request.path),
            None => "a request".to_owned(),
        };
        let signed_in = match rule.action.authenticate {
            Some(_) => ", once the user has signed in",
            None => "",
        };
        let priority = match rule.priority {
            0 => "the default rule".to_owned(),
            priority => format!("rule {priority}"),
        };
        tell(
            trace,
            taken,
            &rule.id,
            format!("{priority} takes {asked}: {said}{signed_in}"),
        );
        onward
    }
}

/// Adds what a rule did to the way out.
fn tell(trace: &mut Trace, taken: Taken<'_>, rule: &RuleId, detail: String) {
    let hop = Hop {
        direction: Direction::Out,
        at: taken.host.id.to_string(),
        resource: Some(taken.listener.id.to_string()),
        rule: Some(rule.clone()),
        action: HopAction::Balance,
        detail,
    };
    let out = |hop: &Hop| hop.direction == Direction::Out;
    let end = trace.hops.iter().take_while(|hop| out(hop)).count();
    trace.hops.insert(end, hop);
}

/// One of the rules, each of which may take a request of which nothing is known, up to the first that
/// takes all.
fn any_rule<'a>(taken: Taken<'a>, http: &'a Http, draws: &mut Draws) -> Option<&'a Rule> {
    let asking = http
        .rules
        .iter()
        .position(|rule| rule.conditions.is_empty());
    let asked = asking.map_or(http.rules.len(), |all| all + 1);
    let mut rules: Vec<&'a Rule> = http.rules.iter().take(asked).map(AsRef::as_ref).collect();
    if asking.is_none() {
        rules.push(&http.default);
    }
    if let [only] = rules.as_slice() {
        return Some(only);
    }
    let chosen = |rule: &&Rule| Chosen::Rule {
        listener: taken.listener.id.clone(),
        rule: rule.id.clone(),
    };
    draws.choose(&taken.host.id, rules.into_iter(), chosen)
}

/// One of the pools that a rule shares requests among, and what it is.
fn any_pool<'a>(
    taken: Taken<'a>,
    shares: &'a [Weighted],
    draws: &mut Draws,
) -> (String, Onward<'a>) {
    let sharing: Vec<&'a Weighted> = shares.iter().filter(|share| share.weight > 0).collect();
    let total: u32 = sharing.iter().map(|share| share.weight).sum();
    let share = match sharing.as_slice() {
        [only] => Some(*only),
        _ => {
            let chosen = |share: &&Weighted| Chosen::Pool(share.pool.clone());
            draws.choose(&taken.host.id, sharing.into_iter(), chosen)
        }
    };
    let Some(share) = share else {
        return ("no pool has a share".to_owned(), Onward::Answered);
    };
    let pool = taken.balancer.pools.get(&share.pool);
    if let Some(function) = pool.and_then(|pool| pool.conduct.function.as_ref()) {
        return (format!("calls {}", function.name), Onward::Answered);
    }
    let said = if share.weight == total {
        format!("→ {}", share.pool)
    } else {
        format!("→ {}, {} of {total}", share.pool, share.weight)
    };
    (said, Onward::To(&share.pool))
}

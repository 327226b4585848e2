//! Rules that can't be of use: those that send a client where it is, and those that an earlier one hides.
//! <https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/pkg/ingress/rule_optimizer.go>

use super::action::{Action, Redirect};
use super::condition::Condition;
use super::stack::Rule;

/// A listener's rules without those that can't be of use.
pub(super) fn optimized(rules: Vec<Rule>, port: u16, protocol: &str) -> Vec<Rule> {
    let mut kept: Vec<Rule> = Vec::with_capacity(rules.len());
    for rule in rules {
        let endless = redirection(&rule).is_some_and(|to| is_endless(to, &rule, port, protocol));
        let hidden = kept
            .iter()
            .any(|earlier| redirection(earlier).is_some() && hides(earlier, &rule));
        if !endless && !hidden {
            kept.push(rule);
        }
    }
    kept
}

fn redirection(rule: &Rule) -> Option<&Redirect> {
    match rule.actions.as_slice() {
        [Action::Redirect(to)] => Some(to),
        _ => None,
    }
}

/// Whether a redirection leads to where the client was.
fn is_endless(to: &Redirect, rule: &Rule, port: u16, protocol: &str) -> bool {
    let keeps = Redirect::default();
    let same_protocol = to.protocol == keeps.protocol || to.protocol == protocol;
    let same_port = to.port == keeps.port || to.port == port.to_string();
    let within = |wanted: &str, usual: &str, of: Option<&Vec<String>>| {
        wanted == usual || of.is_some_and(|of| of.iter().any(|value| value == wanted))
    };
    let hosts = rule.conditions.iter().find_map(|of| match of {
        Condition::Host(hosts) => Some(hosts),
        _ => None,
    });
    let paths = rule.conditions.iter().find_map(|of| match of {
        Condition::Path(paths) => Some(paths),
        _ => None,
    });
    same_protocol
        && same_port
        && within(&to.host, &keeps.host, hosts)
        && within(&to.path, &keeps.path, paths)
        && to.query == keeps.query
}

/// Whether an earlier rule takes all that a later one would.
fn hides(earlier: &Rule, later: &Rule) -> bool {
    earlier.conditions.iter().all(|wide| {
        let all = matches!(wide, Condition::Path(paths) if paths.iter().any(|path| path == "/*"));
        all || later.conditions.iter().any(|narrow| covers(wide, narrow))
    })
}

/// Whether a condition holds wherever another one does.
fn covers(wide: &Condition, narrow: &Condition) -> bool {
    match (wide, narrow) {
        (Condition::Host(wide), Condition::Host(narrow))
        | (Condition::Path(wide), Condition::Path(narrow)) => {
            narrow.iter().all(|value| wide.contains(value))
        }
        (wide, narrow) => wide == narrow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(conditions: Vec<Condition>, action: Action) -> Rule {
        Rule {
            conditions,
            actions: vec![action],
            tags: Default::default(),
        }
    }

    fn paths(of: &[&str]) -> Condition {
        Condition::Path(of.iter().map(|path| (*path).to_owned()).collect())
    }

    fn to_tls() -> Action {
        Action::Redirect(Redirect {
            protocol: "HTTPS".to_owned(),
            port: "443".to_owned(),
            ..Redirect::default()
        })
    }

    /// AWS-LBC: a redirection to TLS hides what follows on port 80 and isn't there on 443.
    #[test]
    fn redirections_hide_what_follows_and_never_lead_to_themselves() {
        let rules = || {
            vec![
                rule(vec![paths(&["/*"])], to_tls()),
                rule(vec![paths(&["/a", "/a/*"])], Action::not_found()),
            ]
        };
        let plain = optimized(rules(), 80, "HTTP");
        assert_eq!(plain, rules()[..1]);
        let secure = optimized(rules(), 443, "HTTPS");
        assert_eq!(secure, rules()[1..]);
        let narrow = vec![
            rule(vec![paths(&["/a"])], to_tls()),
            rule(vec![paths(&["/a", "/b"])], Action::not_found()),
        ];
        assert_eq!(optimized(narrow.clone(), 80, "HTTP"), narrow);
    }
}

//! Which rule takes a request.

use super::{Condition, Http, Request, Rule};

/// Which rule takes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'a> {
    /// The rule; the default one has the priority 0.
    pub rule: &'a Rule,
}

/// Which rule takes a request: the first whose conditions all hold, or the default.
pub fn decide<'a>(http: &'a Http, request: &Request<'_>) -> Decision<'a> {
    let taking = http.rules.iter().find(|rule| rule.takes(request));
    Decision {
        rule: taking.unwrap_or(&http.default),
    }
}

/// The rules that come before the one that takes a request, each with the first condition that keeps
/// it from taking the request.
pub fn passed_over<'a>(http: &'a Http, request: &Request<'_>) -> Vec<(&'a Rule, &'a Condition)> {
    let missed = |rule: &'a Rule| Some((rule, rule.missed(request)?));
    http.rules.iter().map_while(|rule| missed(rule)).collect()
}

impl Rule {
    /// Whether all its conditions hold.
    pub fn takes(&self, request: &Request<'_>) -> bool {
        self.missed(request).is_none()
    }

    /// The first condition that doesn't hold.
    pub fn missed(&self, request: &Request<'_>) -> Option<&Condition> {
        self.conditions.iter().find(|one| !one.holds(request))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::balancer::http::{
        Action, Case, Desync, Dialect, Fixed, HeaderConduct, Outcome, Parameter, Pattern,
    };
    use std::net::IpAddr;
    use std::sync::Arc;

    fn rule(priority: u32, conditions: Vec<Condition>) -> Arc<Rule> {
        let fixed = Fixed {
            status: 200,
            content_type: None,
            body: priority.to_string(),
        };
        Arc::new(Rule {
            id: priority.to_string().into(),
            priority,
            conditions,
            action: Action::plain(Outcome::Fixed(fixed)),
        })
    }

    fn http(rules: Vec<Arc<Rule>>) -> Http {
        Http {
            tls: None,
            http2: true,
            dialect: Dialect::AwsApplication,
            rules,
            default: rule(0, Vec::new()),
            idle_timeout: 60,
            client_keep_alive: 3600,
            headers: HeaderConduct::default(),
            desync: Desync::Defensive,
            access_log: false,
        }
    }

    fn host(text: &str) -> Condition {
        Condition::Host(vec![Pattern::new(text, Case::Ignored)])
    }

    fn path(text: &str) -> Condition {
        Condition::Path(vec![Pattern::new(text, Case::Kept)])
    }

    const HEADERS: [(&str, &str); 3] = [
        ("user-agent", "Mozilla/5.0 Chrome/1"),
        ("x-tier", "gold"),
        ("x-tier", "Silver"),
    ];

    fn request(target: &'static str) -> Request<'static> {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        Request {
            method: "GET",
            host: "shop.example.com",
            path,
            query,
            headers: &HEADERS,
            source: IpAddr::from([10, 1, 2, 3]),
        }
    }

    /// AWS-ALB: rules are asked by priority, and those before the one that takes a request tell why not.
    #[test]
    fn first_rule_takes() {
        let rules = vec![
            rule(1, vec![host("www.example.com"), path("/a")]),
            rule(2, vec![host("*.example.com"), path("/api/*")]),
            rule(3, vec![path("*")]),
        ];
        let http = http(rules);
        let request = request("/img/1");
        assert_eq!(decide(&http, &request).rule.priority, 3);
        let over = passed_over(&http, &request);
        let told: Vec<_> = over.iter().map(|(r, c)| (r.priority, *c)).collect();
        assert_eq!(told, [(1, &host("www.example.com")), (2, &path("/api/*"))]);
    }

    /// AWS-ALB: what no rule takes is the default rule's.
    #[test]
    fn default_rule() {
        let http = http(vec![rule(1, vec![path("/IMG/*")])]);
        assert_eq!(decide(&http, &request("/img/1")).rule.priority, 0);
        assert_eq!(passed_over(&http, &request("/img/1")).len(), 1);
    }

    /// AWS-ALB: headers, methods, query strings and source addresses.
    #[test]
    fn kinds_of_conditions() {
        let value = |text| vec![Pattern::new(text, Case::Ignored)];
        let header = |name: &str, text| Condition::Header {
            name: name.into(),
            values: value(text),
        };
        let query = |key: Option<&str>, text| {
            Condition::Query(vec![Parameter {
                key: key.map(|key| Pattern::escaped(key, Case::Ignored)),
                value: Pattern::escaped(text, Case::Ignored),
            }])
        };
        let source = |text: &str| Condition::Source(vec![text.parse().unwrap()]);
        let method = |text: &str| Condition::Method(vec![text.into()]);
        let all = request("/?Version=V1&beta");
        for (condition, holds) in [
            (header("User-Agent", "*chrome*"), true),
            (header("X-Tier", "silver"), true),
            (header("X-Tier", "bronze"), false),
            (header("Absent", "*"), false),
            (query(Some("version"), "v1"), true),
            (query(Some("version"), "v2"), false),
            (query(None, "v?"), true),
            (query(Some("beta"), ""), true),
            (source("10.0.0.0/8"), true),
            (source("10.2.0.0/16"), false),
            (source("2001:db8::/32"), false),
            (method("GET"), true),
            (method("get"), false),
        ] {
            assert_eq!(condition.holds(&all), holds, "{condition:?}");
        }
        assert!(!query(None, "*").holds(&request("/")));
    }
}

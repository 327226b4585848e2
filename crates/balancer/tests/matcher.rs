//! The compiled rules decide as the fabric does.
#![allow(clippy::unwrap_used, missing_docs)]

use balancer::matcher::Matcher;
use fabric::balancer::http::{
    Action, Case, Condition, Desync, Dialect, Fixed, HeaderConduct, Http, Outcome, Parameter,
    Pattern, Request, Rule, decide,
};
use proptest::prelude::*;
use std::net::IpAddr;
use std::sync::Arc;

fn text() -> impl Strategy<Value = String> {
    "[aAb/.*?]{0,6}"
}

fn condition() -> impl Strategy<Value = Condition> {
    let patterns = |case| {
        prop::collection::vec(text(), 1..3).prop_map(move |texts| {
            texts
                .iter()
                .map(|text| Pattern::new(text, case))
                .collect::<Vec<_>>()
        })
    };
    prop_oneof![
        3 => patterns(Case::Ignored).prop_map(Condition::Host),
        1 => patterns(Case::Kept).prop_map(Condition::Host),
        3 => patterns(Case::Kept).prop_map(Condition::Path),
        1 => patterns(Case::Ignored).prop_map(Condition::Path),
        1 => patterns(Case::Ignored).prop_map(|values| Condition::Header { name: "X-A".into(), values }),
        1 => Just(Condition::Method(vec!["GET".into()])),
        1 => text().prop_map(|text| {
            let value = Pattern::escaped(&text, Case::Ignored);
            Condition::Query(vec![Parameter { key: None, value }])
        }),
        1 => Just(Condition::Source(vec!["10.0.0.0/8".parse().unwrap()])),
    ]
}

fn http(rules: Vec<Vec<Condition>>) -> Http {
    let rule = |priority: usize, conditions| {
        let fixed = Fixed {
            status: 200,
            content_type: None,
            body: String::new(),
        };
        Arc::new(Rule {
            id: priority.to_string().into(),
            priority: priority as u32,
            conditions,
            action: Action::plain(Outcome::Fixed(fixed)),
        })
    };
    let rules = rules.into_iter().enumerate();
    Http {
        tls: None,
        http2: true,
        dialect: Dialect::AwsApplication,
        rules: rules
            .map(|(index, conditions)| rule(index + 1, conditions))
            .collect(),
        default: rule(0, Vec::new()),
        idle_timeout: 60,
        client_keep_alive: 3600,
        headers: HeaderConduct::default(),
        desync: Desync::Defensive,
        access_log: false,
    }
}

proptest! {
    /// AWS-ALB: compiled rules decide as `decide` does, whatever the rules and the request.
    #[test]
    fn same_decision(
        rules in prop::collection::vec(prop::collection::vec(condition(), 0..3), 0..150),
        requests in prop::collection::vec(
            ("[aAb.]{0,5}", "[aAb/.]{0,5}", prop::option::of("[aAb=&*]{0,5}"), "[aAb]{0,3}", any::<bool>()),
            1..20,
        ),
    ) {
        let http = http(rules);
        let matcher = Matcher::new(&http);
        for (host, path, query, header, inside) in &requests {
            let request = Request {
                method: if *inside { "GET" } else { "POST" },
                host,
                path,
                query: query.as_deref(),
                headers: &[("x-a", header.as_str())],
                source: IpAddr::from(if *inside { [10, 0, 0, 1] } else { [192, 0, 2, 1] }),
            };
            prop_assert_eq!(&**matcher.decide(&request), decide(&http, &request).rule);
        }
    }
}

//! Listeners, and rules with their conditions.

use crate::ground::Ground;

/// A balancer with an HTTP listener on port 80 that answers 404.
pub(crate) struct Site {
    pub(crate) ground: Ground,
    balancer: String,
    listener: String,
}

const ANSWER: [(&str, &str); 2] = [
    ("Actions.member.1.Type", "fixed-response"),
    ("Actions.member.1.FixedResponseConfig.StatusCode", "503"),
];

impl Site {
    pub(crate) fn new() -> Self {
        let mut ground = Ground::new();
        let balancer = ground.balancer("site", &[]);
        let asked = [
            ("LoadBalancerArn", balancer.as_str()),
            ("Protocol", "HTTP"),
            ("Port", "80"),
            ("DefaultActions.member.1.Type", "fixed-response"),
            (
                "DefaultActions.member.1.FixedResponseConfig.StatusCode",
                "404",
            ),
        ];
        let listener = ground.ok("CreateListener", &asked).one("ListenerArn");
        Self {
            ground,
            balancer,
            listener,
        }
    }

    /// A rule's parameters, with what is given in place of what is usual.
    fn rule<'a>(
        &'a self,
        priority: &'a str,
        more: &[(&'a str, &'a str)],
    ) -> Vec<(&'a str, &'a str)> {
        let mut asked = vec![
            ("ListenerArn", self.listener.as_str()),
            ("Priority", priority),
        ];
        let has = |prefix: &str| more.iter().any(|(name, _)| name.starts_with(prefix));
        if !has("Conditions") {
            asked.extend([
                ("Conditions.member.1.Field", "path-pattern"),
                ("Conditions.member.1.Values.member.1", "/a/*"),
            ]);
        }
        if !has("Actions") {
            asked.extend(ANSWER);
        }
        asked.extend(more);
        asked
    }

    pub(crate) fn make(&mut self, priority: &str, more: &[(&str, &str)]) -> String {
        let asked: Vec<(String, String)> = self
            .rule(priority, more)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let asked: Vec<(&str, &str)> = asked
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        self.ground.ok("CreateRule", &asked).one("RuleArn")
    }

    pub(crate) fn refusal(&mut self, priority: &str, more: &[(&str, &str)]) -> (String, String) {
        let asked: Vec<(String, String)> = self
            .rule(priority, more)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let asked: Vec<(&str, &str)> = asked
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        self.ground.refusal("CreateRule", &asked)
    }

    fn priorities(&mut self) -> Vec<String> {
        let own = [("ListenerArn", self.listener.as_str())];
        self.ground.ok("DescribeRules", &own).all("Priority")
    }
}

/// AWS-ALB: rules are told by priority, the default one last, and that one can't be deleted.
#[test]
fn rules_have_priorities() {
    let mut site = Site::new();
    let second = site.make("20", &[]);
    let first = site.make("10", &[]);
    assert_eq!(site.priorities(), ["10", "20", "default"]);
    let (code, words) = site.refusal("10", &[]);
    assert_eq!(code, "PriorityInUse");
    assert_eq!(words, "Priority '10' is currently in use");
    for outside in ["0", "50001"] {
        assert_eq!(site.refusal(outside, &[]).0, "ValidationError");
    }
    let swap = [
        ("RulePriorities.member.1.RuleArn", first.as_str()),
        ("RulePriorities.member.1.Priority", "20"),
        ("RulePriorities.member.2.RuleArn", second.as_str()),
        ("RulePriorities.member.2.Priority", "10"),
    ];
    site.ground.ok("SetRulePriorities", &swap);
    let own = [("ListenerArn", site.listener.as_str())];
    let rules = site.ground.ok("DescribeRules", &own);
    assert_eq!(rules.all("RuleArn")[..2], [second.clone(), first.clone()]);
    let mut clash = swap;
    clash[1].1 = "10";
    assert_eq!(
        site.ground.refused("SetRulePriorities", &clash),
        "ValidationError"
    );
    assert_eq!(
        site.ground.refused("SetRulePriorities", &swap[..2][..1]),
        "ValidationError"
    );
    let default = rules.all("RuleArn")[2].clone();
    let own = [("RuleArn", default.as_str())];
    let (code, words) = site.ground.refusal("DeleteRule", &own);
    assert_eq!(code, "OperationNotPermitted");
    assert_eq!(words, format!("Default rule '{default}' cannot be deleted"));
    site.ground.ok("DeleteRule", &[("RuleArn", first.as_str())]);
    assert_eq!(
        site.ground
            .refused("DeleteRule", &[("RuleArn", first.as_str())]),
        "RuleNotFound"
    );
    assert_eq!(site.priorities(), ["10", "default"]);
}

/// AWS-ALB: every condition is taken and shown as it was given.
#[test]
fn conditions_are_kept() {
    let mut site = Site::new();
    let conditions = [
        ("Conditions.member.1.Field", "host-header"),
        (
            "Conditions.member.1.HostHeaderConfig.Values.member.1",
            "*.example.com",
        ),
        ("Conditions.member.2.Field", "http-header"),
        (
            "Conditions.member.2.HttpHeaderConfig.HttpHeaderName",
            "User-Agent",
        ),
        (
            "Conditions.member.2.HttpHeaderConfig.Values.member.1",
            "*Firefox*",
        ),
        ("Conditions.member.3.Field", "http-request-method"),
        (
            "Conditions.member.3.HttpRequestMethodConfig.Values.member.1",
            "GET",
        ),
        ("Conditions.member.4.Field", "query-string"),
        (
            "Conditions.member.4.QueryStringConfig.Values.member.1.Key",
            "v",
        ),
        (
            "Conditions.member.4.QueryStringConfig.Values.member.1.Value",
            "1",
        ),
        ("Conditions.member.5.Field", "source-ip"),
        (
            "Conditions.member.5.SourceIpConfig.Values.member.1",
            "192.0.2.0/24",
        ),
    ];
    let rule = site.make("1", &conditions);
    let told = site
        .ground
        .ok("DescribeRules", &[("RuleArns.member.1", &rule)]);
    let fields = [
        "host-header",
        "http-header",
        "http-request-method",
        "query-string",
        "source-ip",
    ];
    assert_eq!(told.all("Field"), fields);
    assert_eq!(told.one("HttpHeaderName"), "User-Agent");
    assert!(
        told.0.contains("<Key>v</Key><Value>1</Value>"),
        "{}",
        told.0
    );
    assert!(told.0.contains("<member>192.0.2.0/24</member>"));
    let path = site.make("2", &[]);
    let told = site
        .ground
        .ok("DescribeRules", &[("RuleArns.member.1", &path)]);
    assert_eq!(
        told.0.matches("<member>/a/*</member>").count(),
        2,
        "in both places"
    );
}

/// AWS-ALB: limits on conditions' values, stars and repetitions.
#[test]
fn conditions_that_cant_be_are_refused() {
    let mut site = Site::new();
    let path =
        |number: usize| format!("Conditions.member.1.PathPatternConfig.Values.member.{number}");
    let many: Vec<(String, String)> = (1..=6).map(|n| (path(n), format!("/{n}"))).collect();
    let stars: Vec<(String, String)> = (1..=4).map(|n| (path(n), format!("/*/{n}/?"))).collect();
    for (values, words) in [
        (many, "A rule can only have '5' condition values"),
        (stars, "A rule can only have '6' condition wildcards"),
    ] {
        let mut asked = vec![("Conditions.member.1.Field", "path-pattern")];
        asked.extend(values.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        assert_eq!(
            site.refusal("1", &asked),
            ("ValidationError".to_owned(), words.to_owned())
        );
    }
    let field = "Conditions.member.1.Field";
    let values = "Conditions.member.1.Values.member.1";
    let long = format!("/{}", "x".repeat(128));
    for asked in [
        vec![(field, "cookie"), (values, "x")],
        vec![(field, "host-header"), (values, "no dots")],
        vec![(field, "host-header"), (values, "nodots")],
        vec![(field, "path-pattern"), (values, long.as_str())],
        vec![(field, "path-pattern")],
        vec![(field, "source-ip"), (values, "10.0.0.0/8")],
        vec![
            (field, "source-ip"),
            (
                "Conditions.member.1.SourceIpConfig.Values.member.1",
                "10.0.0/8",
            ),
        ],
        vec![
            (field, "http-request-method"),
            (
                "Conditions.member.1.HttpRequestMethodConfig.Values.member.1",
                "get",
            ),
        ],
        vec![
            (field, "http-header"),
            (
                "Conditions.member.1.HttpHeaderConfig.HttpHeaderName",
                "Host",
            ),
            ("Conditions.member.1.HttpHeaderConfig.Values.member.1", "x"),
        ],
        vec![
            (field, "path-pattern"),
            (values, "/a"),
            ("Conditions.member.2.Field", "path-pattern"),
            ("Conditions.member.2.Values.member.1", "/b"),
        ],
    ] {
        assert_eq!(site.refusal("1", &asked).0, "ValidationError", "{asked:?}");
    }
    let regex = [
        (field, "path-pattern"),
        (
            "Conditions.member.1.PathPatternConfig.RegexValues.member.1",
            "^/a",
        ),
    ];
    assert_eq!(site.refusal("1", &regex).0, "UnsupportedOperation");
}

/// AWS-ALB, AWS-NLB, AWS-GWLB: listeners that can't be are refused; the same words make nothing new.
#[test]
fn listeners_are_checked() {
    let mut site = Site::new();
    let flows = site.ground.balancer("flows", &[("Type", "network")]);
    let gateway = site.ground.balancer("scrub", &[("Type", "gateway")]);
    let tcp = site.ground.group("tcp", "TCP", &[]);
    let http = site.ground.group("http", "HTTP", &[]);
    let missing = "arn:aws:acm:us-west-2:123456789012:certificate/0";
    let web = site.balancer.clone();
    let forward = |balancer: &str, group: &str, more: &[(&str, &str)]| {
        let mut asked = vec![
            ("LoadBalancerArn".to_owned(), balancer.to_owned()),
            (
                "DefaultActions.member.1.Type".to_owned(),
                "forward".to_owned(),
            ),
            (
                "DefaultActions.member.1.TargetGroupArn".to_owned(),
                group.to_owned(),
            ),
        ];
        asked.extend(more.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        asked
    };
    let at = |protocol: &'static str, port: &'static str| [("Protocol", protocol), ("Port", port)];
    for (asked, code) in [
        (forward(&web, &http, &at("HTTP", "80")), "DuplicateListener"),
        (forward(&web, &http, &at("TCP", "81")), "ValidationError"),
        (forward(&web, &http, &[("Port", "81")]), "ValidationError"),
        (
            forward(&web, &http, &[("Protocol", "HTTP")]),
            "ValidationError",
        ),
        (
            forward(&web, &http, &at("HTTP", "65536")),
            "ValidationError",
        ),
        (forward(&web, &http, &at("HTTPS", "443")), "ValidationError"),
        (
            forward(
                &web,
                &http,
                &[
                    at("HTTPS", "443"),
                    [
                        ("Certificates.member.1.CertificateArn", missing),
                        ("SslPolicy", "x"),
                    ],
                ]
                .concat(),
            ),
            "CertificateNotFound",
        ),
        (
            forward(&web, &tcp, &at("HTTP", "81")),
            "IncompatibleProtocols",
        ),
        (
            forward(&flows, &http, &at("TCP", "80")),
            "IncompatibleProtocols",
        ),
        (
            forward(&flows, &tcp, &at("UDP", "80")),
            "IncompatibleProtocols",
        ),
        (
            forward(&flows, &tcp, &at("QUIC", "80")),
            "UnsupportedProtocol",
        ),
        (forward(&gateway, &tcp, &at("TCP", "80")), "ValidationError"),
        (
            forward(
                &web,
                &http,
                &[
                    at("HTTP", "81"),
                    [("MutualAuthentication.Mode", "verify"), ("SslPolicy", "x")],
                ]
                .concat(),
            ),
            "UnsupportedOperation",
        ),
    ] {
        let asked: Vec<(&str, &str)> = asked
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            site.ground.refused("CreateListener", &asked),
            code,
            "{asked:?}"
        );
    }
    let first = site.ground.listener(&flows, "TCP", "80", &tcp);
    assert_eq!(site.ground.listener(&flows, "TCP", "80", &tcp), first);
    let own = [("LoadBalancerArn", flows.as_str())];
    assert_eq!(
        site.ground.ok("DescribeListeners", &own).all("Port"),
        ["80"]
    );
    let change = [("ListenerArn", first.as_str()), ("Port", "8080")];
    assert_eq!(
        site.ground.ok("ModifyListener", &change).one("Port"),
        "8080"
    );
    let idle = [
        ("ListenerArn", first.as_str()),
        ("Attributes.member.1.Key", "tcp.idle_timeout.seconds"),
        ("Attributes.member.1.Value", "60"),
    ];
    assert_eq!(
        site.ground
            .ok("ModifyListenerAttributes", &idle)
            .one("Value"),
        "60"
    );
    site.ground.ok("DeleteListener", &[("ListenerArn", &first)]);
    assert_eq!(
        site.ground
            .refused("DeleteListener", &[("ListenerArn", &first)]),
        "ListenerNotFound"
    );
    assert_eq!(
        site.ground.refused("DescribeListeners", &[]),
        "ValidationError"
    );
    let rule = [("ListenerArn", first.as_str()), ("Priority", "1")];
    assert_eq!(site.ground.refused("CreateRule", &rule), "ListenerNotFound");
}

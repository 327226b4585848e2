//! Actions of rules.

use crate::listener_rule::Site;

/// AWS-ALB: exactly one of forward, redirect and fixed-response, last; authentication first and on HTTPS only.
#[test]
fn actions_that_cant_be_are_refused() {
    let mut site = Site::new();
    let first = |name: &str| format!("Actions.member.1.{name}");
    let (kind, code, body) = (
        first("Type"),
        first("FixedResponseConfig.StatusCode"),
        first("FixedResponseConfig.ContentType"),
    );
    let (redirect, path, protocol) = (
        first("RedirectConfig.StatusCode"),
        first("RedirectConfig.Path"),
        first("RedirectConfig.Protocol"),
    );
    let (group, order, order_two) = (
        first("TargetGroupArn"),
        first("Order"),
        "Actions.member.2.Order",
    );
    let cognito: Vec<(String, &str)> = [
        (
            "UserPoolArn",
            "arn:aws:cognito-idp:us-west-2:123456789012:userpool/p",
        ),
        ("UserPoolClientId", "c"),
        ("UserPoolDomain", "d"),
    ]
    .map(|(name, value)| (first(&format!("AuthenticateCognitoConfig.{name}")), value))
    .to_vec();
    let login = |order: &'static str| {
        let mut asked = vec![
            (kind.as_str(), "authenticate-cognito"),
            (first_order(), order),
        ];
        asked.extend(cognito.iter().map(|(name, value)| (name.as_str(), *value)));
        asked
    };
    fn first_order() -> &'static str {
        "Actions.member.1.Order"
    }
    let answer = |order: &'static str| {
        [
            ("Actions.member.2.Type", "fixed-response"),
            ("Actions.member.2.FixedResponseConfig.StatusCode", "200"),
            (order_two, order),
        ]
    };
    let unknown =
        "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/x/0123456789abcdef";
    let invalid = "InvalidLoadBalancerAction";
    for (asked, expected) in [
        (
            vec![(kind.as_str(), "fixed-response"), (code.as_str(), "302")],
            "ValidationError",
        ),
        (
            vec![(kind.as_str(), "fixed-response"), (code.as_str(), "x")],
            "ValidationError",
        ),
        (
            vec![
                (kind.as_str(), "fixed-response"),
                (code.as_str(), "200"),
                (body.as_str(), "image/png"),
            ],
            invalid,
        ),
        (vec![(kind.as_str(), "fixed-response")], "ValidationError"),
        (
            vec![(kind.as_str(), "redirect"), (redirect.as_str(), "HTTP_301")],
            invalid,
        ),
        (
            vec![
                (kind.as_str(), "redirect"),
                (redirect.as_str(), "HTTP_301"),
                (path.as_str(), "x"),
            ],
            "ValidationError",
        ),
        (
            vec![
                (kind.as_str(), "redirect"),
                (redirect.as_str(), "HTTP_301"),
                (protocol.as_str(), "FTP"),
            ],
            "ValidationError",
        ),
        (
            vec![(kind.as_str(), "redirect"), (redirect.as_str(), "HTTP_307")],
            "ValidationError",
        ),
        (vec![(kind.as_str(), "forward")], "ValidationError"),
        (
            vec![(kind.as_str(), "forward"), (group.as_str(), unknown)],
            "TargetGroupNotFound",
        ),
        (
            vec![(kind.as_str(), "forward"), (group.as_str(), "x")],
            "ValidationError",
        ),
        (vec![(kind.as_str(), "jump")], "ValidationError"),
        (
            vec![(kind.as_str(), "jwt-validation")],
            "UnsupportedOperation",
        ),
        (login("1"), invalid),
        ([login("1"), answer("2").to_vec()].concat(), invalid),
        (
            [login("1"), answer("1").to_vec()].concat(),
            "ValidationError",
        ),
        (
            [
                vec![
                    (kind.as_str(), "fixed-response"),
                    (code.as_str(), "200"),
                    (order.as_str(), "1"),
                ],
                answer("2").to_vec(),
            ]
            .concat(),
            invalid,
        ),
    ] {
        let (told, words) = site.refusal("1", &asked);
        assert_eq!(told, expected, "{asked:?}: {words}");
    }
}

/// AWS-ALB: forward actions have weights and stickiness; redirects have AWS's words for what stays.
#[test]
fn actions_are_kept() {
    let mut site = Site::new();
    let blue = site.ground.group("blue", "HTTP", &[]);
    let green = site.ground.group("green", "HTTP", &[]);
    let weighted = [
        ("Actions.member.1.Type", "forward"),
        (
            "Actions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn",
            blue.as_str(),
        ),
        (
            "Actions.member.1.ForwardConfig.TargetGroups.member.1.Weight",
            "90",
        ),
        (
            "Actions.member.1.ForwardConfig.TargetGroups.member.2.TargetGroupArn",
            green.as_str(),
        ),
        (
            "Actions.member.1.ForwardConfig.TargetGroups.member.2.Weight",
            "10",
        ),
        (
            "Actions.member.1.ForwardConfig.TargetGroupStickinessConfig.Enabled",
            "true",
        ),
        (
            "Actions.member.1.ForwardConfig.TargetGroupStickinessConfig.DurationSeconds",
            "60",
        ),
    ];
    let rule = site.make("1", &weighted);
    let told = site
        .ground
        .ok("DescribeRules", &[("RuleArns.member.1", &rule)]);
    assert_eq!(told.all("Weight"), ["90", "10"]);
    assert_eq!(told.one("DurationSeconds"), "60");
    let redirect = [
        ("Actions.member.1.Type", "redirect"),
        ("Actions.member.1.RedirectConfig.Protocol", "HTTPS"),
        ("Actions.member.1.RedirectConfig.Port", "443"),
        ("Actions.member.1.RedirectConfig.StatusCode", "HTTP_301"),
    ];
    let asked = [&[("RuleArn", rule.as_str())][..], &redirect].concat();
    let changed = site.ground.ok("ModifyRule", &asked);
    assert_eq!(changed.one("Path"), "/#{path}");
    assert_eq!(changed.one("Host"), "#{host}");
    for group in [&blue, &green] {
        site.ground
            .ok("DeleteTargetGroup", &[("TargetGroupArn", group)]);
    }
    assert_eq!(
        site.ground.refused("ModifyRule", &[("RuleArn", &rule)]),
        "ValidationError"
    );
}

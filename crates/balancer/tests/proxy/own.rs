//! Answers of the balancer's own.

use crate::member::{echo, nobody, says, silent};
use crate::world::{World, http, parts, pool, rule, values};
use fabric::balancer::Speech;
use fabric::balancer::http::{
    Case, Condition, Dialect, Fixed, Outcome, Pattern, Redirect, Template,
};

/// AWS-ALB: a pool without members answers 503 byte for byte as AWS does.
#[tokio::test]
async fn no_members() {
    let world = World::http(http("p"), vec![pool("p", &[])]).await;
    let answer = world.get("/", "").await;
    let (status, head, body) = parts(&answer);
    assert_eq!(status, 503);
    assert!(
        answer.starts_with("HTTP/1.1 503 Service Temporarily Unavailable\r\n"),
        "{answer}"
    );
    for line in [
        "server: awselb/2.0",
        "content-type: text/html",
        "content-length: 162",
        "date: ",
    ] {
        assert!(head.contains(line), "{head}");
    }
    let page = "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n\
                <body>\r\n<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n\
                </body>\r\n</html>\r\n";
    assert_eq!(body, page);
}

/// AWS-ALB: 502 where nobody listens, or a target closes, or speaks no HTTP.
#[tokio::test]
async fn bad_gateway() {
    for member in [nobody().await, says("").await, says("what?\r\n\r\n").await] {
        let world = World::http(http("p"), vec![pool("p", &[member])]).await;
        let answer = world.get("/", "").await;
        assert!(
            answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"),
            "{answer}"
        );
    }
}

/// AWS-ALB: 504 when a target is silent for the idle timeout, 408 when the client is.
#[tokio::test]
async fn silence() {
    let mut listener = http("p");
    listener.idle_timeout = 1;
    let world = World::http(listener, vec![pool("p", &[silent().await])]).await;
    let answer = world.get("/", "").await;
    assert!(
        answer.starts_with("HTTP/1.1 504 Gateway Time-out\r\n"),
        "{answer}"
    );
    let half = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhalf";
    let answer = world.say(half).await;
    assert!(
        answer.starts_with("HTTP/1.1 408 Request Time-out\r\n"),
        "{answer}"
    );
    // A client that says nothing is let go without a word.
    assert_eq!(world.say("").await, "");
}

/// AWS-ALB: what isn't a request, or may not be one, gets AWS's status and page.
#[tokio::test]
async fn refusals() {
    let world = World::http(http("p"), vec![pool("p", &[echo("a").await])]).await;
    let long = "a".repeat(70_000);
    let many = vec!["1.2.3.4"; 31].join(", ");
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (
            "GET / HTTP/1.1\r\nHost: a.b\r\nBad Header: x\r\n\r\n".to_owned(),
            400,
        ),
        ("GET / HTTP/3.7\r\nHost: a.b\r\n\r\n".to_owned(), 505),
        (
            "TRACE / HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\n\r\n".to_owned(),
            405,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a.b\r\nX: {long}\r\n\r\n"),
            400,
        ),
        (
            format!(
                "GET /{} HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\n\r\n",
                &long[..20_000]
            ),
            414,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\nX-Forwarded-For: {many}\r\n\r\n"
            ),
            463,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a.b\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(),
            501,
        ),
    ] {
        let answer = world.say(&request).await;
        let start = &request[..request.len().min(80)];
        assert_eq!(parts(&answer).0, status, "{start}: {answer}");
        assert!(
            parts(&answer).1.contains("server: awselb/2.0"),
            "{start}: {answer}"
        );
    }
}

/// AWS-ALB: HTTP/1.1 doesn't go to pools that speak HTTP/2: 464.
#[tokio::test]
async fn incompatible() {
    let mut http2 = pool("p", &[echo("a").await]);
    http2.speech = Speech::Http2;
    let world = World::http(http("p"), vec![http2]).await;
    assert_eq!(parts(&world.get("/", "").await).0, 464);
}

/// AWS-ALB: fixed responses and redirects.
#[tokio::test]
async fn rules_answer() {
    let path = |text| vec![Condition::Path(vec![Pattern::new(text, Case::Kept)])];
    let fixed = Fixed {
        status: 418,
        content_type: Some("text/plain".into()),
        body: "short and stout".into(),
    };
    let redirect = Redirect {
        status: 301,
        protocol: Template::parse("HTTPS"),
        host: Template::parse("#{host}"),
        port: Template::parse("443"),
        path: Template::parse("/#{path}"),
        query: Template::parse("#{query}"),
    };
    let mut listener = http("p");
    listener.rules = vec![
        rule(1, path("/tea"), Outcome::Fixed(fixed)),
        rule(2, path("/old/*"), Outcome::Redirect(redirect)),
    ];
    let world = World::http(listener, vec![pool("p", &[])]).await;
    let answer = world.get("/tea", "").await;
    let (status, head, body) = parts(&answer);
    assert_eq!((status, body.as_str()), (418, "short and stout"));
    assert!(
        head.contains("content-type: text/plain; charset=utf-8"),
        "{head}"
    );
    let answer = world.get("/old/a?b=c", "").await;
    assert_eq!(parts(&answer).0, 301);
    assert_eq!(
        values(&answer, "location"),
        ["https://web.example:443/old/a?b=c"]
    );
    assert_eq!(values(&answer, "content-length"), ["134"]);
    // HEAD gets the length and no body.
    let head = "HEAD /tea HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\n\r\n";
    let answer = world.say(head).await;
    assert_eq!(values(&answer, "content-length"), ["15"]);
    assert_eq!(parts(&answer).2, "");
}

/// AWS-CLB: a classic balancer says it in the first line, and has no body.
#[tokio::test]
async fn classic() {
    let mut listener = http("p");
    listener.dialect = Dialect::AwsClassic;
    let world = World::http(listener, vec![pool("p", &[])]).await;
    let answer = world.get("/", "").await;
    let first = "HTTP/1.1 503 Service Unavailable: Back-end server is at capacity\r\n";
    assert!(answer.starts_with(first), "{answer}");
    assert_eq!(values(&answer, "content-length"), ["0"]);
    assert!(
        world
            .say("nonsense\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 400 BAD_REQUEST\r\n")
    );
}

//! Clients that stay with their member.

use crate::member::{echo, web};
use crate::world::{World, http, parts, pool, rule, values};
use bytes::Bytes;
use fabric::balancer::Stickiness;
use fabric::balancer::http::{Dialect, Forward, Http, Outcome, Weighted};
use http::Response;
use http_body_util::Full;

fn name(answer: &str) -> String {
    parts(answer)
        .2
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The cookies that an answer sets, as a request gives them back.
fn cookies(answer: &str) -> String {
    let set = values(answer, "set-cookie");
    let pairs = set.iter().map(|line| line.split(';').next().unwrap());
    format!("Cookie: {}\r\n", pairs.collect::<Vec<_>>().join("; "))
}

async fn sticky(stickiness: Stickiness, listener: Http) -> World {
    let mut pool = pool("p", &[echo("a").await, echo("b").await, echo("c").await]);
    pool.conduct.stickiness = Some(stickiness);
    World::http(listener, vec![pool]).await
}

/// AWS-ALB: AWSALB and AWSALBCORS keep a client with its target, and each answer renews them.
#[tokio::test]
async fn own_cookie() {
    let world = sticky(Stickiness::Own { seconds: 100 }, http("p")).await;
    let first = world.get("/", "").await;
    let set = values(&first, "set-cookie");
    assert!(
        set[0].starts_with("AWSALB=") && set[0].contains("; Expires="),
        "{set:?}"
    );
    assert!(
        set[1].starts_with("AWSALBCORS=") && set[1].ends_with("; Path=/; SameSite=None"),
        "{set:?}"
    );
    for _ in 0..6 {
        let again = world.get("/", &cookies(&first)).await;
        assert_eq!(name(&again), name(&first));
        assert_eq!(values(&again, "set-cookie").len(), 2);
    }
    let forged = world.get("/", "Cookie: AWSALB=Zm9yZ2Vk\r\n").await;
    assert_eq!(parts(&forged).0, 200);
}

/// AWS-ALB: a client whose target is gone gets another.
#[tokio::test]
async fn gone_member() {
    let mut world = sticky(Stickiness::Own { seconds: 100 }, http("p")).await;
    let first = world.get("/", "").await;
    let mut pool = (*world.words.pools[&fabric::id::PoolId::new("p")]).clone();
    let kept = name(&first);
    let index = ["a", "b", "c"]
        .iter()
        .position(|name| *name == kept)
        .unwrap();
    pool.members.remove(index);
    world.pools(vec![pool]);
    world.apply().await;
    let again = world.get("/", &cookies(&first)).await;
    assert_eq!(parts(&again).0, 200);
    assert_ne!(name(&again), kept);
}

/// AWS-ALB: an application's cookie keeps a client as long as the application sets one.
#[tokio::test]
async fn application_cookie() {
    let member = |name: &'static str| {
        web(move |_| async move {
            let mut response = Response::new(Full::new(Bytes::from(name)));
            let cookie = "session=1; Path=/".parse().unwrap();
            response.headers_mut().insert("set-cookie", cookie);
            response
        })
    };
    let mut pool = pool("p", &[member("a").await.0, member("b").await.0]);
    pool.conduct.stickiness = Some(Stickiness::Application {
        cookie: "session".into(),
        seconds: 100,
    });
    let world = World::http(http("p"), vec![pool]).await;
    let first = world.get("/", "").await;
    assert!(
        values(&first, "set-cookie")[1].starts_with("AWSALBAPP-0="),
        "{first}"
    );
    for _ in 0..4 {
        assert_eq!(name(&world.get("/", &cookies(&first)).await), name(&first));
    }
    // Without the application's cookie the balancer's means nothing.
    let only = cookies(&first).replace("session=1; ", "");
    let names = [world.get("/", &only).await, world.get("/", &only).await];
    assert_ne!(name(&names[0]), name(&names[1]));
}

/// AWS-ALB: a weighted rule keeps a client with its target group; a weight of 0 gets nobody new.
#[tokio::test]
async fn groups() {
    let weighted = |pool: &str, weight| Weighted {
        pool: pool.into(),
        weight,
    };
    let forward = Forward {
        pools: vec![weighted("p", 1), weighted("q", 1)],
        sticky: Some(100),
    };
    let mut listener = http("p");
    listener.default = rule(0, Vec::new(), Outcome::Forward(forward));
    let pools = vec![pool("p", &[echo("p").await]), pool("q", &[echo("q").await])];
    let mut world = World::http(listener.clone(), pools).await;
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 2 {
        seen.insert(name(&world.get("/", "").await));
    }
    let first = world.get("/", "").await;
    assert!(
        values(&first, "set-cookie")[0].starts_with("AWSALBTG="),
        "{first}"
    );
    for _ in 0..8 {
        assert_eq!(name(&world.get("/", &cookies(&first)).await), name(&first));
    }
    let forward = Forward {
        pools: vec![weighted("p", 0), weighted("q", 5)],
        sticky: None,
    };
    listener.default = rule(0, Vec::new(), Outcome::Forward(forward));
    world.listen(
        crate::world::PORT,
        fabric::balancer::Service::Http(listener),
    );
    world.apply().await;
    for _ in 0..8 {
        assert_eq!(name(&world.get("/", "").await), "q");
    }
}

/// AWS-CLB: AWSELB is set once, as classic balancers write it.
#[tokio::test]
async fn classic() {
    let mut listener = http("p");
    listener.dialect = Dialect::AwsClassic;
    let world = sticky(Stickiness::Own { seconds: 60 }, listener).await;
    let first = world.get("/", "").await;
    let set = values(&first, "set-cookie");
    assert!(
        set[0].starts_with("AWSELB=") && set[0].ends_with(";PATH=/;MAX-AGE=60"),
        "{set:?}"
    );
    let again = world.get("/", &cookies(&first)).await;
    assert_eq!(name(&again), name(&first));
    assert!(values(&again, "set-cookie").is_empty());
}

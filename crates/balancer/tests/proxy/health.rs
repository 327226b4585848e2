//! Members that are tried.

use crate::member::{echo, echo2, nobody, says, silent};
use crate::world::{World, pool};
use balancer::health::{Cause, Report, Target, check, probe};
use fabric::balancer::{HealthCheck, MemberState, Probe, Speech};
use fabric::filter::NumberRange;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

fn checked(probe: Probe) -> HealthCheck {
    HealthCheck {
        probe,
        interval: 5,
        timeout: 1,
        healthy_after: 2,
        unhealthy_after: 2,
    }
}

fn http(speech: Speech, low: u16, high: u16) -> HealthCheck {
    checked(Probe::Http {
        speech,
        path: "/health?full".into(),
        statuses: vec![NumberRange { low, high }],
    })
}

/// AWS-ALB: probes tell success from refusal, silence, nonsense and the wrong status.
#[tokio::test]
async fn probes() {
    let world = World::new();
    let here = &world.here;
    let grpc = |low, high| {
        checked(Probe::Grpc {
            tls: false,
            path: "/AWS.ALB/healthcheck".into(),
            statuses: vec![NumberRange { low, high }],
        })
    };
    let web = echo("a").await;
    let broken = says("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n").await;
    let ok = http(Speech::Http1, 200, 200);
    for (at, how, expected) in [
        (web, checked(Probe::Tcp), Ok(())),
        (web, ok.clone(), Ok(())),
        (broken, ok.clone(), Err(Cause::StatusMismatch(500))),
        (broken, http(Speech::Http1, 200, 599), Ok(())),
        (silent().await, ok.clone(), Err(Cause::Timeout)),
        (echo2("b").await, http(Speech::Http2, 200, 200), Ok(())),
        (echo2("b").await, grpc(0, 0), Ok(())),
        (
            echo2("b").await,
            grpc(12, 12),
            Err(Cause::StatusMismatch(0)),
        ),
    ] {
        assert_eq!(
            probe(here, "ELB-HealthChecker/2.0", at, &how).await,
            expected,
            "{how:?}"
        );
    }
    let refused = probe(here, "x", nobody().await, &ok).await;
    assert!(
        matches!(refused, Err(Cause::ConnectionFailed(_))),
        "{refused:?}"
    );
    let nonsense = probe(here, "x", says("what?\r\n\r\n").await, &ok).await;
    assert!(matches!(nonsense, Err(Cause::NoAnswer(_))), "{nonsense:?}");
    let no_tls = probe(here, "x", says("what?").await, &checked(Probe::Tls)).await;
    assert!(
        matches!(no_tls, Err(Cause::ConnectionFailed(_))),
        "{no_tls:?}"
    );
}

/// AWS-ALB: all members in use are tried, and each try is told.
#[tokio::test]
async fn reports() {
    let mut world = World::new();
    let mut words = pool("p", &[echo("a").await, nobody().await, echo("c").await]);
    words.members[2].state = MemberState::Unused;
    words.health_check = Some(http(Speech::Http1, 200, 200));
    world.pools(vec![words]);
    let (targets, known) = watch::channel(Arc::new(Target::of(&world.words)));
    let (send, mut reports) = mpsc::channel(8);
    let network = Arc::new(world.here.clone());
    tokio::spawn(check(network, "ELB-HealthChecker/2.0", known, send));
    let mut two = [reports.recv().await.unwrap(), reports.recv().await.unwrap()];
    two.sort_by_key(|report: &Report| report.outcome.is_err());
    let names: Vec<&str> = two.iter().map(|report| report.member.as_str()).collect();
    let members = &world.words.pools[&fabric::id::PoolId::new("p")].members;
    assert_eq!(names, [members[0].name.as_str(), members[1].name.as_str()]);
    assert!(matches!(two[1].outcome, Err(Cause::ConnectionFailed(_))));
    drop(targets);
    assert!(reports.recv().await.is_none());
}

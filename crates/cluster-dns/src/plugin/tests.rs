//! What the plugins do with questions and answers.
#![allow(clippy::unwrap_used)]

use crate::answer::Answer;
use crate::corefile::Config;
use crate::corefile::tests::parse;
use crate::plugin::cache::{Cache, Kind};
use crate::plugin::rewrite::rewrite;
use crate::question::Question;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, CNAME, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::time::{Duration, Instant};

fn block(lines: &str) -> Config {
    parse(&format!(".:53 {{\n{lines}\n}}\n")).unwrap()
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn question(text: &str) -> Question {
    Question::new(name(text), RecordType::A)
}

fn address(owner: &str, ttl: u32) -> Answer {
    let record = Record::from_rdata(name(owner), ttl, RData::A(A::new(10, 0, 0, 1)));
    Answer::authoritative(vec![record], "test")
}

/// Where a question goes, and what an answer for that comes back as.
fn rewritten(lines: &str, asked: &str) -> (String, String) {
    let config = block(lines);
    let mut question = question(asked);
    let back = rewrite(&config.blocks[0].rewrites, &mut question);
    let mut answer = address(&question.text, 5);
    back.revert(&mut answer);
    (question.text, answer.answers[0].name.to_ascii())
}

/// K8S-NET: the examples of CoreDNS's documentation.
#[test]
fn names_are_rewritten() {
    let exact = "rewrite name foo.example.com foo.default.svc.cluster.local";
    assert_eq!(
        rewritten(exact, "FOO.example.com."),
        (
            "foo.default.svc.cluster.local.".into(),
            "FOO.example.com.".into()
        )
    );
    let same = |text: &str| (text.to_owned(), text.to_owned());
    assert_eq!(
        rewritten(exact, "bar.example.com."),
        same("bar.example.com.")
    );
    let substring = "rewrite name substring service.us-west-1.example.org service.us-west-1.consul";
    assert_eq!(
        rewritten(substring, "ftp.service.us-west-1.example.org."),
        same("ftp.service.us-west-1.consul.")
    );
    let suffix = "rewrite name suffix .schmoogle.com. .google.com. answer auto";
    assert_eq!(
        rewritten(suffix, "www.schmoogle.com."),
        ("www.google.com.".into(), "www.schmoogle.com.".into())
    );
    let regex = "rewrite stop {\nname regex (.*)-(us-west-1)\\.coredns\\.rocks {1}.service.{2}.consul\n\
                 answer name (.*)\\.service\\.(us-west-1)\\.consul {1}-{2}.coredns.rocks\n}";
    assert_eq!(
        rewritten(regex, "ftp-us-west-1.coredns.rocks."),
        (
            "ftp.service.us-west-1.consul.".into(),
            "ftp-us-west-1.coredns.rocks.".into()
        )
    );
    let two = "rewrite continue name a.example b.example\nrewrite name b.example c.example";
    assert_eq!(
        rewritten(two, "a.example."),
        ("c.example.".into(), "a.example.".into())
    );
}

/// K8S-NET: only what AKS's template matches has no name.
#[test]
fn templates_match_names() {
    let config = block(
        "template ANY ANY internal.cloudapp.net {\nmatch \"^(?:[^.]+\\.){4,}internal\\.cloudapp\\.net\\.$\"\n\
         rcode NXDOMAIN\nfallthrough\n}\ntemplate IN AAAA example.org {\n}",
    );
    let [azure, six] = &config.blocks[0].templates[..] else {
        panic!("two templates");
    };
    let deep = azure.answer(&question("a.b.c.d.internal.cloudapp.net."));
    assert_eq!(deep.unwrap().code, ResponseCode::NXDomain);
    assert_eq!(azure.answer(&question("a.internal.cloudapp.net.")), None);
    assert_eq!(azure.answer(&question("example.com.")), None);
    assert_eq!(six.answer(&question("example.org.")), None);
    let asked = Question::new(name("a.example.org."), RecordType::AAAA);
    assert_eq!(six.answer(&asked).unwrap().code, ResponseCode::NoError);
}

#[test]
fn hosts_are_names() {
    let config = block(
        "hosts /nowhere {\n10.0.0.1 One one.example\nfd00::1 one.example\nttl 60\nfallthrough\n}",
    );
    let hosts = config.blocks[0].hosts.as_ref().unwrap();
    let table = hosts.table("# a file\n10.0.0.2 two.example # and more\n");
    let found = |text: &str, kind| {
        let answer = hosts.answer(&table, &Question::new(name(text), kind));
        answer.map(|answer| {
            answer
                .answers
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        })
    };
    let line = |line: &str| Some(vec![line.to_owned()]);
    assert_eq!(
        found("one.example.", RecordType::A),
        line("one.example. 60 IN A 10.0.0.1")
    );
    assert_eq!(
        found("one.example.", RecordType::AAAA),
        line("one.example. 60 IN AAAA fd00::1")
    );
    assert_eq!(
        found("two.example.", RecordType::A),
        line("two.example. 60 IN A 10.0.0.2")
    );
    assert_eq!(found("two.example.", RecordType::AAAA), Some(Vec::new()));
    let reverse = "2.0.0.10.in-addr.arpa.";
    assert_eq!(
        found(reverse, RecordType::PTR),
        line(&format!("{reverse} 60 IN PTR two.example."))
    );
    assert_eq!(found("three.example.", RecordType::A), None);
    let strict = block("hosts /nowhere example {\n10.0.0.1 one.example\n}");
    let hosts = strict.blocks[0].hosts.as_ref().unwrap();
    let table = hosts.table("");
    let denied = hosts.answer(&table, &question("two.example.")).unwrap();
    assert_eq!(denied.code, ResponseCode::ServFail);
    assert_eq!(hosts.answer(&table, &question("two.example.org.")), None);
}

fn cache(lines: &str) -> Cache {
    Cache::new(block(lines).blocks[0].cache.clone().unwrap())
}

/// K8S-NET: an answer is kept for its own time, thirty seconds at most, and the time that is left is told.
#[test]
fn answers_are_kept_for_a_while() {
    let (mut cache, now) = (cache("cache 30"), Instant::now());
    let asked = question("www.example.org.");
    let mut answer = address("www.example.org.", 300);
    cache.put(&asked, false, &mut answer, now);
    assert_eq!(
        answer.answers[0].ttl, 30,
        "a client isn't told more than is kept"
    );
    let later = now + Duration::from_secs(12);
    let shouted = question("WWW.example.org.");
    let (kind, kept) = cache.get(&shouted, false, later).unwrap();
    assert_eq!((kind, kept.answers[0].ttl), (Kind::Success, 18));
    assert_eq!(kept.answers[0].name.to_ascii(), "WWW.example.org.");
    assert!(
        cache.get(&asked, true, later).is_none(),
        "signatures weren't asked for"
    );
    let other = Question::new(asked.name.clone(), RecordType::AAAA);
    assert!(cache.get(&other, false, later).is_none());
    assert!(
        cache
            .get(&asked, false, now + Duration::from_secs(30))
            .is_none()
    );
    assert_eq!(cache.count(Kind::Success), 0);
}

fn denial(ttl: u32) -> Answer {
    let data = SOA::new(name("ns."), name("host."), 1, 2, 3, 4, 5);
    let soa = Record::from_rdata(name("example."), ttl, RData::SOA(data));
    let mut answer = Answer::empty(ResponseCode::NXDomain, "test");
    answer.authorities.push(soa);
    answer
}

#[test]
fn denials_are_kept_and_what_is_excepted_is_not() {
    let now = Instant::now();
    let lines = "cache 30 {\ndisable success cluster.local\ndenial 100 10 2\n}";
    let mut cache = cache(lines);
    let (inside, outside) = (question("a.cluster.local."), question("a.example."));
    cache.put(&inside, false, &mut address("a.cluster.local.", 20), now);
    assert!(cache.get(&inside, false, now).is_none());
    cache.put(&outside, false, &mut denial(1), now);
    let (kind, kept) = cache.get(&outside, false, now).unwrap();
    assert_eq!((kind, kept.authorities[0].ttl), (Kind::Denial, 2));
    cache.put(&outside, false, &mut denial(100), now);
    let (_, kept) = cache.get(&outside, false, now).unwrap();
    assert_eq!(kept.authorities[0].ttl, 10);
    for (code, plugin) in [
        (ResponseCode::Refused, "test"),
        (ResponseCode::ServFail, ""),
    ] {
        cache.put(&inside, false, &mut Answer::empty(code, plugin), now);
        assert!(cache.get(&inside, false, now).is_none(), "{code}");
    }
    let mut failed = Answer::empty(ResponseCode::ServFail, "test");
    cache.put(&inside, false, &mut failed, now);
    assert!(cache.get(&inside, false, now).is_some());
}

#[test]
fn a_cache_is_bounded() {
    let (mut cache, now) = (cache("cache {\nsuccess 10\n}"), Instant::now());
    for number in 0..100 {
        let owner = format!("n{number}.example.");
        cache.put(&question(&owner), false, &mut address(&owner, 60), now);
        assert!(cache.count(Kind::Success) <= 10);
        assert!(cache.get(&question(&owner), false, now).is_some());
    }
}

#[test]
fn forwards_take_names_below() {
    let config = block("forward example.org 10.0.0.1 {\nexcept private.example.org\n}");
    let forward = &config.blocks[0].forwards[0];
    assert!(forward.takes("www.example.org.") && forward.takes("example.org."));
    assert!(!forward.takes("a.private.example.org."));
    assert!(!forward.takes("example.com."));
}

#[test]
fn logs_are_chosen() {
    let config = block("log example.org {\nclass denial error\n}");
    let log = config.blocks[0].log.as_ref().unwrap();
    assert!(log.wants("a.example.org.", &denial(5)));
    assert!(!log.wants("a.example.org.", &address("a.example.org.", 5)));
    assert!(!log.wants("a.example.com.", &denial(5)));
}

/// Aliases' targets are put back as well.
#[test]
fn targets_are_rewritten_back() {
    let config = block("rewrite name a.example b.example");
    let mut asked = question("a.example.");
    let back = rewrite(&config.blocks[0].rewrites, &mut asked);
    let alias = RData::CNAME(CNAME(name("b.example.")));
    let record = Record::from_rdata(name("x.example."), 5, alias);
    let mut answer = Answer::authoritative(vec![record], "test");
    back.revert(&mut answer);
    assert_eq!(
        answer.answers[0].to_string(),
        "x.example. 5 IN CNAME a.example."
    );
}

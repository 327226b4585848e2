//! Corefiles as managed clusters ship them, and what is wrong with others.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::plugin::kubernetes::Pods;
use std::time::Duration;

/// Files by their path.
pub(crate) struct Files(pub(crate) &'static [(&'static str, &'static str)]);

impl Imports for Files {
    fn files(&self, pattern: &Path) -> io::Result<Vec<(PathBuf, String)>> {
        let named = pattern.parent().zip(pattern.extension());
        let (beside, suffix) = named.ok_or(io::ErrorKind::NotFound)?;
        let files = self
            .0
            .iter()
            .map(|(path, text)| (PathBuf::from(path), *text));
        let wanted = files
            .filter(|(path, _)| path.parent() == Some(beside) && path.extension() == Some(suffix));
        Ok(wanted.map(|(path, text)| (path, text.to_owned())).collect())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "DOMAIN").then(|| "cluster.local".to_owned())
    }
}

pub(crate) fn parse(text: &str) -> Result<Config, CorefileError> {
    Config::parse(text, Path::new("/etc/coredns/Corefile"), &Files(&[]))
}

/// Azure's, which has everything that Amazon's and kubeadm's have.
const AKS: &str = r#"
.:53 {
    errors
    ready
    health {
      lameduck 5s
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
      ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf
    cache 30
    loop
    reload
    loadbalance
    import custom/*.override
    template ANY ANY internal.cloudapp.net {
      match "^(?:[^.]+\.){4,}internal\.cloudapp\.net\.$"
      rcode NXDOMAIN
      fallthrough
    }
    template ANY ANY reddog.microsoft.com {
      rcode NXDOMAIN
    }
}
import custom/*.server
"#;

/// K8S-NET: a managed cluster's Corefile is understood, with what its users add.
#[test]
fn managed_clusters_corefiles() {
    let files = Files(&[
        ("/etc/coredns/custom/log.override", "log\n"),
        (
            "/etc/coredns/custom/corp.server",
            "corp.example:53 {\n  forward . 10.0.0.9\n}\n",
        ),
        ("/etc/coredns/custom/README", "nothing {"),
    ]);
    let config = Config::parse(AKS, Path::new("/etc/coredns/Corefile"), &files).unwrap();
    let [all, corp] = &config.blocks[..] else {
        panic!("{config:?}");
    };
    assert_eq!(all.served, [(".".to_owned(), 53)]);
    assert!(all.errors && all.loadbalance && all.detects_loops && all.log.is_some());
    let kubernetes = all.kubernetes.as_ref().unwrap();
    assert_eq!((kubernetes.pods, kubernetes.ttl), (Pods::Insecure, 30));
    assert_eq!(kubernetes.primary_zone(), "cluster.local.");
    assert!(kubernetes.fallthrough.lets("1.0.0.10.in-addr.arpa."));
    assert!(!kubernetes.fallthrough.lets("a.cluster.local."));
    assert_eq!(all.health.unwrap().lameduck, Duration::from_secs(5));
    assert_eq!(all.prometheus.unwrap().port(), 9153);
    assert_eq!(all.templates.len(), 2);
    assert_eq!(corp.served, [("corp.example.".to_owned(), 53)]);
    assert_eq!(corp.forwards.len(), 1);
}

#[test]
fn kubeadms_additions() {
    let text = ".:53 {\n  kubernetes {$DOMAIN} in-addr.arpa\n  forward . /etc/resolv.conf {\n    max_concurrent 1000\n  }\n\
                cache 30 {\n    disable success cluster.local\n    disable denial cluster.local\n  }\n}\n";
    let config = parse(text).unwrap();
    let block = &config.blocks[0];
    assert_eq!(
        block.kubernetes.as_ref().unwrap().primary_zone(),
        "cluster.local."
    );
    assert_eq!(block.forwards[0].max_concurrent, Some(1000));
}

#[test]
fn snippets_stand_for_their_lines() {
    let text =
        "(shared) {\n  errors\n  cache 10\n}\na.example, b.example:1053 {\n  import shared\n}\n";
    let config = parse(text).unwrap();
    let served = [
        ("a.example.".to_owned(), 53),
        ("b.example.".to_owned(), 1053),
    ];
    assert_eq!(config.blocks[0].served, served);
    assert!(config.blocks[0].errors && config.blocks[0].cache.is_some());
    let bare = parse("example.org\nerrors\ncache\n").unwrap();
    assert_eq!(bare.blocks[0].served, [("example.org.".to_owned(), 53)]);
}

/// K8S-NET: what isn't served is named, with the place.
#[test]
fn what_is_wrong_is_said() {
    let cases = [
        (
            ".:53 {\n  autopath @kubernetes\n}",
            2,
            "plugin 'autopath' is CoreDNS's, but is not served here",
        ),
        (
            ".:53 {\n  errors\n  fowrard . 1.1.1.1\n}",
            3,
            "Unknown directive 'fowrard'",
        ),
        (
            ".:53 {\n  forward .\n}",
            2,
            "Wrong argument count or unexpected line ending after 'forward'",
        ),
        (
            ".:53 {\n  forward . tls://9.9.9.9\n}",
            2,
            "plugin/forward: not an IP address or file: \"tls://9.9.9.9\"",
        ),
        (
            ".:53 {\n  kubernetes {\n    podz insecure\n  }\n}",
            3,
            "plugin/kubernetes: unknown property 'podz'",
        ),
        (
            ".:53 {\n  kubernetes {\n    labels a=b\n  }\n}",
            3,
            "plugin/kubernetes: property 'labels' is CoreDNS's, but is not served here",
        ),
        (
            ".:53 {\n  cache {\n    prefetch 10\n  }\n}",
            3,
            "plugin/cache: property 'prefetch' is CoreDNS's, but is not served here",
        ),
        (
            ".:53 {\n  cache\n  cache\n}",
            3,
            "plugin/cache: this plugin can only be used once per Server Block",
        ),
        (".:53 {\n  errors\n", 2, "Unexpected EOF"),
        (
            ".:53 {\n  template IN A {\n    match [\n  }\n}",
            3,
            "plugin/template: could not parse regex: [",
        ),
        (
            ".:53 {\n  rewrite type A AAAA\n}",
            2,
            "plugin/rewrite: property 'type' is CoreDNS's, but is not served here",
        ),
        (
            "tls://. {\n}",
            1,
            "'tls://.' is no zone that can be served here",
        ),
        (
            ".:53 {\n}\n.:53 {\n}",
            3,
            "cannot serve dns://.:53 - it is already defined",
        ),
        (
            ".:53 {\n  reload 1s\n}",
            2,
            "plugin/reload: interval value must be greater or equal to 2s",
        ),
    ];
    for (text, line, problem) in cases {
        let error = parse(text).unwrap_err();
        let expected = format!("/etc/coredns/Corefile:{line} - Error during parsing: {problem}");
        assert_eq!(error.to_string(), expected, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(text in "[a-z.{}()\"\\\\ #/:0-9\n]{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_lines_are_read(words in proptest::collection::vec(
        proptest::sample::select(vec![
            ".:53", "{", "}", "\n", "kubernetes", "cluster.local", "10.0.0.0/12", "pods", "insecure", "cache", "30",
            "forward", ".", "1.1.1.1", "rewrite", "name", "regex", "(.*)", "{1}", "template", "ANY", "match", "hosts",
            "fallthrough", "health", ":8080", "lameduck", "5s", "import", "log", "class", "all", "::/0", "\"", "#",
        ]),
        0..60,
    )) {
        let _ = parse(&words.join(" "));
    }
}

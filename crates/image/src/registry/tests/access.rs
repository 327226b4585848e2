//! Who may pull: tokens, passwords, certificates.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A registry with a token server beside it, which `grant`s a token or not.
fn guarded(
    repository: &Repository,
    token: &'static str,
    grant: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
) -> (Server, Server, String) {
    let tokens = Server::start(None, grant);
    let realm = format!("http://localhost:{}/token", tokens.port);
    let repository = repository.clone();
    let registry = Server::start(None, move |asked| match token_of(asked) {
        given if given == token => repository.get(&asked.path),
        "" => bearer(&realm, ""),
        _ => bearer(&realm, ",error=\"insufficient_scope\""),
    });
    let name = format!("localhost:{}/app:1", registry.port);
    (registry, tokens, name)
}

fn image() -> Repository {
    let repository = Repository::default();
    repository.put("1", &app());
    repository
}

fn said(result: Result<Image, ImageError>) -> String {
    let said = result.unwrap_err().to_string();
    let (_, said) = said.split_once("failed to resolve reference ").unwrap();
    let (_, said) = said.split_once("\": ").unwrap();
    said.to_owned()
}

/// As Docker Hub does it.
#[test]
fn nobody_gets_a_token() {
    let (registry, tokens, name) = guarded(&image(), "t", |_| {
        Answer::new(200, r#"{"token":"t","expires_in":300}"#)
    });
    let machine = Machine::new();
    pull(&machine.node("a"), &name).unwrap();
    let asked = tokens.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        asked[0].path,
        "/token?scope=repository%3Aapp%3Apull&service=reg"
    );
    assert_eq!(asked[0].authorization(), "");
    // One refusal; the token serves all that comes after it.
    assert_eq!(registry.asked().len(), 6);
}

#[test]
fn somebody_gets_a_token() {
    let grant = |asked: &Asked| match (&*asked.method, asked.authorization()) {
        ("POST", _)
            if asked.body.contains("&password=p%26q&") && asked.body.contains("&username=me") =>
        {
            Answer::new(200, r#"{"access_token":"mine"}"#)
        }
        ("GET", "Basic b2xkOnNlY3JldA==") => Answer::new(200, r#"{"token":"mine"}"#),
        _ => Answer::new(401, ""),
    };
    let (_registry, tokens, name) = guarded(&image(), "mine", grant);
    let machine = Machine::new();
    let node = machine.node("a");
    node.pull(&name, &[credentials("me", "p&q")]).unwrap();
    node.remove(&name).unwrap();
    // A server that knows only the older way.
    node.pull(&name, &[credentials("old", "secret")]).unwrap();
    node.remove(&name).unwrap();
    tokens.asked();
    // Of several that a pod names one is enough.
    let several = [credentials("old", "forgotten"), credentials("me", "p&q")];
    node.pull(&name, &several).unwrap();
    assert_eq!(tokens.asked().len(), 3);
    node.remove(&name).unwrap();
    let port = tokens.port;
    let url = format!("http://localhost:{port}/token?scope=repository%3Aapp%3Apull&service=reg");
    assert_eq!(
        said(node.pull(&name, &[credentials("me", "wrong")])),
        format!(
            "failed to authorize: failed to fetch oauth token: unexpected status from GET request to \
             {url}: 401 Unauthorized"
        )
    );
    assert_eq!(
        said(pull(&node, &name)),
        format!(
            "failed to authorize: failed to fetch anonymous token: unexpected status from GET request \
             to {url}: 401 Unauthorized"
        )
    );
}

/// ACR: a token that doesn't do.
#[test]
fn a_token_may_not_be_enough() {
    let (_registry, _tokens, name) = guarded(&image(), "right", |_| {
        Answer::new(200, r#"{"token":"wrong"}"#)
    });
    let machine = Machine::new();
    let result = pull(&machine.node("a"), &name);
    assert!(matches!(result, Err(ImageError::Denied(..))));
    assert_eq!(
        said(result),
        "pull access denied, repository does not exist or may require authorization: server message: \
         insufficient_scope: authorization failed"
    );
}

/// As ECR does it.
#[test]
fn passwords_are_asked_for() {
    let repository = image();
    let server = Server::start(None, move |asked| match asked.authorization() {
        "Basic QVdTOnRva2Vu" => repository.get(&asked.path),
        _ => Answer::new(401, "").with("WWW-Authenticate", "Basic realm=\"https://ecr/\""),
    });
    let name = format!("localhost:{}/app:1", server.port);
    let machine = Machine::new();
    let node = machine.node("a");
    assert_eq!(
        said(pull(&node, &name)),
        "pull access denied, repository does not exist or may require authorization: authorization \
         failed: no basic auth credentials"
    );
    let refused = said(node.pull(&name, &[credentials("AWS", "old")]));
    assert!(
        refused.ends_with("/v2/app/manifests/1: 401 Unauthorized"),
        "{refused}"
    );
    node.pull(&name, &[credentials("AWS", "token")]).unwrap();
}

/// OPS-SAFE: blobs often lie elsewhere, where the registry's credentials are nobody's business.
#[test]
fn redirects_are_followed_without_credentials() {
    let repository = image();
    let content = repository.clone();
    let elsewhere = Server::start(None, move |asked| {
        content.get(asked.path.strip_prefix("/bucket").unwrap())
    });
    let port = elsewhere.port;
    let server = Server::start(None, move |asked| {
        if asked.authorization().is_empty() {
            return Answer::new(401, "").with("WWW-Authenticate", "Basic");
        }
        match asked.path.strip_prefix("/moved") {
            _ if asked.path.contains("/blobs/") => {
                let to = format!("http://localhost:{port}/bucket{}", asked.path);
                Answer::new(307, "").with("Location", to)
            }
            None if asked.method == "HEAD" => {
                Answer::new(302, "").with("Location", format!("/moved{}", asked.path))
            }
            Some(path) => repository.get(path),
            None => repository.get(&asked.path),
        }
    });
    let name = format!("localhost:{}/app:1", server.port);
    let machine = Machine::new();
    let node = machine.node("a");
    node.pull(&name, &[credentials("me", "secret")]).unwrap();
    let asked = elsewhere.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|one| one.authorization().is_empty()));
    assert_eq!(asked[0].headers["host"], format!("localhost:{port}"));
    let circle = Server::start(None, |asked| {
        Answer::new(302, "").with("Location", asked.path.clone())
    });
    let refused = said(pull(&node, &format!("localhost:{}/app:1", circle.port)));
    assert!(refused.ends_with("stopped after 10 redirects"), "{refused}");
}

/// An authority, and a server's side of TLS for a name under it.
fn authority(host: &str) -> (String, Arc<ServerConfig>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([host.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    (root.pem(), Arc::new(config))
}

/// A name without a registry is Docker Hub's, over TLS, by the node's own connections.
#[test]
fn certificates_are_checked() {
    let repository = Repository::default();
    repository.put("1", &app());
    let (root, config) = authority("registry-1.docker.io");
    let content = repository.clone();
    let server = Server::start(Some(config), move |asked| {
        content.get(&asked.path.replace("/library/", "/"))
    });
    let plain = Server::start(None, move |asked| repository.get(&asked.path));
    let dial: Arc<dyn Dial> = Arc::new(Table(vec![
        ("registry-1.docker.io", 443, server.port),
        ("other.example", 443, server.port),
        ("plain.example", 5000, plain.port),
    ]));
    let machine = Machine::new();
    let node = |roots: &str, plain: &[&str]| {
        let plain = plain.iter().map(|host| (*host).to_owned()).collect();
        let registries = Registries::new(roots.as_bytes(), plain).unwrap();
        machine.node_by("a", dial.clone(), registries)
    };
    let tls = "tls: failed to verify certificate: x509: certificate";
    let stranger = said(pull(&node(&authority("x").0, &[]), "app:1"));
    assert_eq!(
        stranger,
        format!(
            "failed to do request: Head \"https://registry-1.docker.io/v2/library/app/manifests/1\": \
             {tls} signed by unknown authority"
        )
    );
    let trusting = node(&root, &[]);
    let other = said(pull(&trusting, "other.example/library/app:1"));
    assert!(
        other.ends_with(&format!("{tls} is not valid for other.example")),
        "{other}"
    );
    let nowhere = said(pull(&trusting, "nowhere.example/app:1"));
    assert!(
        nowhere.ends_with("dial tcp nowhere.example:443: lookup nowhere.example: no such host"),
        "{nowhere}"
    );
    let http = said(pull(&trusting, "plain.example:5000/app:1"));
    assert!(
        http.ends_with("http: server gave HTTP response to HTTPS client"),
        "{http}"
    );
    let image = pull(&trusting, "app:1").unwrap();
    assert_eq!(image.tags, ["docker.io/library/app:1"]);
    pull(
        &node(&root, &["plain.example:5000"]),
        "plain.example:5000/app:1",
    )
    .unwrap();
    assert!(
        Registries::new(
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            Vec::new()
        )
        .is_err()
    );
}

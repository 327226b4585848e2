//! As much of an API as a name server asks for: lists and watches of what a test puts there.

use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::BoxBody;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kube_client::{Config, Credential, Direct};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

type Body = BoxBody<Bytes, Infallible>;

/// The running API.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) config: Config,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    revision: u64,
    /// Objects by their collection's path and their key.
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    watches: Vec<(String, Sender<Bytes, Infallible>)>,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned()];
        let certificate = rcgen::CertificateParams::new(names)
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Config {
            host: "localhost".to_owned(),
            port: listener.local_addr().unwrap().port(),
            authority: certificate.pem(),
            credential: Credential::Anonymous,
            agent: "test".to_owned(),
            dial: Arc::new(Direct),
        };
        let api = Self {
            config,
            state: Arc::default(),
        };
        let (tls, served) = (TlsAcceptor::from(Arc::new(tls)), api.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, api) = (tls.clone(), served.clone());
                tokio::spawn(async move {
                    let stream = tls.accept(stream).await.unwrap();
                    let service = service_fn(|request| {
                        let api = api.clone();
                        async move { Ok::<_, Infallible>(api.answer(&request)) }
                    });
                    let connection = http1::Builder::new();
                    let _ = connection
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        api
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let mut state = self.state.lock().unwrap();
        let path = request.uri().path().to_owned();
        if request
            .uri()
            .query()
            .is_some_and(|query| query.contains("watch=true"))
        {
            let (sender, body) = Channel::new(64);
            state.watches.push((path, sender));
            return Response::new(body.boxed());
        }
        let items: Vec<_> = state
            .objects
            .get(&path)
            .into_iter()
            .flat_map(BTreeMap::values)
            .collect();
        let list = json!({
            "kind": "List",
            "metadata": {"resourceVersion": state.revision.to_string()},
            "items": items,
        });
        Response::new(Full::from(list.to_string()).boxed())
    }

    /// Puts an object into a collection, or in the place of the one that is there.
    pub(crate) fn put(&self, path: &str, namespace: &str, name: &str, mut object: Value) {
        let mut state = self.state.lock().unwrap();
        state.revision += 1;
        object["metadata"]["name"] = name.into();
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = namespace.into();
        }
        object["metadata"]["resourceVersion"] = state.revision.to_string().into();
        let objects = state.objects.entry(path.to_owned()).or_default();
        let old = objects.insert(format!("{namespace}/{name}"), object.clone());
        state.tell(
            path,
            if old.is_none() { "ADDED" } else { "MODIFIED" },
            &object,
        );
    }

    /// Takes an object away.
    pub(crate) fn delete(&self, path: &str, namespace: &str, name: &str) {
        let mut state = self.state.lock().unwrap();
        let objects = state.objects.entry(path.to_owned()).or_default();
        let object = objects.remove(&format!("{namespace}/{name}")).unwrap();
        state.tell(path, "DELETED", &object);
    }
}

impl State {
    fn tell(&mut self, path: &str, kind: &str, object: &Value) {
        let event = Bytes::from(format!("{}\n", json!({"type": kind, "object": object})));
        for (watched, sender) in &mut self.watches {
            if watched == path {
                let _ = sender.try_send(hyper::body::Frame::data(event.clone()));
            }
        }
    }
}

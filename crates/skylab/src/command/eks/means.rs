//! The means of `skylab eks`: the lab's port for AWS, its proxy for clusters' APIs, this terminal.

use crate::args::Place;
use crate::command::{env, kube, status};
use crate::failure::Failure;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use eksctl::{Error, Level, Means};
use kube_client::{Client as Kubernetes, Config, Credential, Dial, Patch};
use lab::client::Client;
use lab::clusters::{KubeUser, Kubeconfig};
use lab::credentials::Credentials;
use lab::paths::StateDir;
use serde_json::Value;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::call::{Call, Service};
use wire::shape::Timestamp;
use wire::sigv4::{Key, Presigned, presign};

/// A lab as `skylab eks` uses it.
pub(super) struct Host {
    state: StateDir,
    client: Client,
    credentials: Credentials,
    socks: Option<u16>,
    region: String,
    kubeconfig: Option<PathBuf>,
    runtime: tokio::runtime::Runtime,
}

impl Host {
    /// The lab of a state, which must run.
    pub(super) fn open(state: &StateDir, place: &Place) -> Result<Self, Failure> {
        let ports = status::ask(state)?.ports;
        let credentials = env::credentials(state)?;
        Ok(Self {
            state: state.clone(),
            client: Client::new(ports, &credentials, &place.region),
            credentials,
            socks: ports.socks,
            region: place.region.clone(),
            kubeconfig: place.kubeconfig.clone(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
        })
    }

    /// A token by which the lab's user calls a cluster's API, as `aws eks get-token` makes it.
    /// <https://docs.aws.amazon.com/eks/latest/userguide/cluster-auth.html>
    fn token(&self, cluster: &str) -> String {
        let headers = [("x-k8s-aws-id".to_owned(), cluster.to_owned())];
        let request = Presigned {
            host: &format!("sts.{}.amazonaws.com", self.region),
            query: "Action=GetCallerIdentity&Version=2011-06-15",
            headers: &headers,
            session: None,
            lifetime: 60,
        };
        let key = Key {
            access_key: &self.credentials.aws_access_key_id,
            secret: &self.credentials.aws_secret_access_key,
            region: &self.region,
            service: "sts",
        };
        let address = presign(&request, &key, self.now());
        format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(address))
    }

    fn client_of(&self, cluster: &Value) -> Result<Kubernetes, Error> {
        let text = |pointer: &str| {
            cluster
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let authority = STANDARD
            .decode(text("/certificateAuthority/data"))
            .unwrap_or_default();
        let no_proxy = || {
            Error::Kubernetes(
                "the lab runs without packets: there is no way to clusters".to_owned(),
            )
        };
        let config = Config {
            host: text("/endpoint").trim_start_matches("https://").to_owned(),
            port: 443,
            authority: String::from_utf8_lossy(&authority).into_owned(),
            credential: Credential::Token(self.token(text("/name"))),
            agent: "eksctl".to_owned(),
            dial: Arc::new(Proxy {
                port: self.socks.ok_or_else(no_proxy)?,
                token: self.credentials.socks_token.clone(),
            }),
        };
        Kubernetes::new(config).map_err(|error| Error::Kubernetes(error.to_string()))
    }
}

/// Connections by the lab's SOCKS5 proxy, to names in the lab.
struct Proxy {
    port: u16,
    token: String,
}

impl Dial for Proxy {
    fn dial<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>> {
        Box::pin(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.write_all(&[5, 1, 2]).await?;
            expect(&mut stream, [5, 2]).await?;
            let mut hello = vec![1];
            for word in ["skylab", &self.token] {
                hello.push(length(word)?);
                hello.extend(word.as_bytes());
            }
            stream.write_all(&hello).await?;
            expect(&mut stream, [1, 0]).await?;
            let mut request = vec![5, 1, 0, 3, length(host)?];
            request.extend(host.as_bytes());
            request.extend(port.to_be_bytes());
            stream.write_all(&request).await?;
            expect(&mut stream, [5, 0]).await?;
            // The rest of the answer is an IPv4 address and a port, which nobody needs.
            let mut rest = [0; 8];
            stream.read_exact(&mut rest).await?;
            Ok(stream)
        })
    }
}

fn length(word: &str) -> io::Result<u8> {
    u8::try_from(word.len()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

async fn expect(stream: &mut TcpStream, wanted: [u8; 2]) -> io::Result<()> {
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    if answer == wanted {
        return Ok(());
    }
    Err(io::Error::other(format!("the lab's proxy says {answer:?}")))
}

impl Means for Host {
    fn call(&self, service: Service, operation: &str, given: Value) -> Result<Value, Error> {
        let call = Call::new(service, operation, given);
        self.client.call(&call).map_err(|error| Error::Aws {
            operation: operation.to_owned(),
            error,
        })
    }

    fn kubernetes(
        &self,
        cluster: &Value,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Option<Value>, Error> {
        let client = self.client_of(cluster)?;
        let answer = self.runtime.block_on(async {
            match method {
                "POST" => client.create(path, body).await,
                "PATCH" => client.patch(path, Patch::Merge, body).await,
                "DELETE" => client.delete(path, body).await,
                _ => client.get(path).await,
            }
        });
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(Error::Kubernetes(error.to_string())),
        }
    }

    fn write_kubeconfig(&self, cluster: &Value, region: &str) -> Result<String, Error> {
        let text = |pointer: &str| {
            cluster
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let name = text("/name");
        let authority = STANDARD
            .decode(text("/certificateAuthority/data"))
            .unwrap_or_default();
        let token = &self.credentials.socks_token;
        let config = Kubeconfig {
            name: name.to_owned(),
            server: text("/endpoint").to_owned(),
            proxy: self
                .socks
                .map(|port| format!("socks5://skylab:{token}@127.0.0.1:{port}")),
            authority: String::from_utf8_lossy(&authority).into_owned(),
            user: KubeUser::Iam {
                region: region.to_owned(),
                cluster: name.to_owned(),
            },
        };
        let path = self
            .kubeconfig
            .clone()
            .unwrap_or_else(|| self.state.kubeconfig(name));
        let shown = path.display().to_string();
        let failed = |error| Error::File {
            path: shown.clone(),
            error,
        };
        let keys = env::keys(&self.state).map_err(|failure| Error::Invalid(failure.to_string()))?;
        kube::write(&path, &config.file(&keys)).map_err(failed)?;
        Ok(shown)
    }

    fn say(&self, level: Level, line: &str) {
        let iso = Timestamp(self.now()).iso();
        let time = iso.get(..19).unwrap_or_default().replace('T', " ");
        eprintln!("{time} [{}]  {line}", level.mark());
    }

    fn print(&self, text: &str) {
        println!("{text}");
    }

    fn wait(&self, how_long: Duration) {
        std::thread::sleep(how_long);
    }

    fn now(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    fn chance(&self) -> u64 {
        // Names need no secrecy: without the kernel's entropy the time will do.
        lab::entropy::bytes().map_or_else(|_| self.now().unsigned_abs(), u64::from_be_bytes)
    }
}

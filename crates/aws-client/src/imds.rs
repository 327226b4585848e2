//! The instance's metadata service, version 2: what the instance is, its interfaces, its role's keys.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html>

use crate::http::{Answer, Http, HttpError, Origin};
use http::Method;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

/// Where it is on every instance.
pub const ADDRESS: &str = "http://169.254.169.254";
/// How long a token is asked for, in seconds: the longest there is.
const TOKEN_LIFE: &str = "21600";

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ImdsError {
    /// The service can't be reached.
    #[error("EC2 instance metadata: {0}")]
    Http(#[from] HttpError),
    /// It refuses.
    #[error("EC2 instance metadata: {path}: status {status}")]
    Refused {
        /// What was asked.
        path: String,
        /// The status.
        status: u16,
    },
    /// It doesn't have what every instance has, or in another form.
    #[error("EC2 instance metadata: {path}: unexpected {text:?}")]
    Nonsense {
        /// What was asked.
        path: String,
        /// What was answered.
        text: String,
    },
}

/// A client of the service.
#[derive(Debug)]
pub struct Imds {
    http: Http,
    origin: Origin,
    token: Mutex<Option<String>>,
}

/// What an instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its id.
    pub instance: String,
    /// Its type.
    pub instance_type: String,
    /// Its availability zone.
    pub zone: String,
    /// Its region.
    pub region: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// The link-layer address of its first interface.
    pub mac: String,
}

/// An interface that is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its link-layer address.
    pub mac: String,
    /// Its id.
    pub id: String,
    /// Its device index.
    pub device: u32,
    /// Its subnet.
    pub subnet: String,
    /// Its subnet's range.
    pub subnet_range: Ipv4Net,
    /// Its addresses, the primary one first.
    pub addresses: Vec<Ipv4Addr>,
    /// Its prefixes.
    pub prefixes: Vec<Ipv4Net>,
}

impl Attached {
    /// The addresses that can be pods', as units.
    pub fn secondary(&self) -> impl Iterator<Item = Ipv4Net> + '_ {
        self.addresses.iter().skip(1).copied().map(Ipv4Net::from)
    }
}

/// What a VPC is, as an interface sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Its id.
    pub vpc: String,
    /// Its ranges.
    pub ranges: Vec<Ipv4Net>,
    /// The interface's security groups.
    pub groups: Vec<String>,
}

impl Imds {
    /// Of the service at an address ([`ADDRESS`]).
    ///
    /// # Errors
    /// The address isn't one.
    pub fn new(http: Http, address: &str) -> Result<Self, HttpError> {
        Ok(Self {
            http,
            origin: Origin::parse(address)?,
            token: Mutex::new(None),
        })
    }

    /// The text below `latest/meta-data/`, if there is one.
    ///
    /// # Errors
    /// The service doesn't answer, or refuses.
    pub async fn text(&self, path: &str) -> Result<Option<String>, ImdsError> {
        let mut answer = self.ask(path).await?;
        if answer.status == 401 {
            // The token's life is over.
            self.keep(None);
            answer = self.ask(path).await?;
        }
        match answer.status {
            200 => Ok(Some(answer.text)),
            404 => Ok(None),
            status => Err(ImdsError::Refused {
                path: path.to_owned(),
                status,
            }),
        }
    }

    async fn ask(&self, path: &str) -> Result<Answer, ImdsError> {
        let token = self.token().await?;
        let headers = [("x-aws-ec2-metadata-token".to_owned(), token)];
        let path = format!("/latest/meta-data/{path}");
        let sent = self
            .http
            .send(&self.origin, Method::GET, &path, &headers, String::new());
        Ok(sent.await?)
    }

    async fn token(&self) -> Result<String, ImdsError> {
        if let Some(token) = self.known_token() {
            return Ok(token);
        }
        let path = "/latest/api/token";
        let life = "x-aws-ec2-metadata-token-ttl-seconds".to_owned();
        let headers = [(life, TOKEN_LIFE.to_owned())];
        let answer = self
            .http
            .send(&self.origin, Method::PUT, path, &headers, String::new())
            .await?;
        if answer.status != 200 {
            return Err(ImdsError::Refused {
                path: path.to_owned(),
                status: answer.status,
            });
        }
        self.keep(Some(answer.text.clone()));
        Ok(answer.text)
    }

    fn known_token(&self) -> Option<String> {
        let known = self.token.lock();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, token: Option<String>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    async fn needed(&self, path: &str) -> Result<String, ImdsError> {
        self.text(path).await?.ok_or_else(|| ImdsError::Refused {
            path: path.to_owned(),
            status: 404,
        })
    }

    async fn parsed<T: FromStr>(&self, path: &str) -> Result<T, ImdsError> {
        let text = self.needed(path).await?;
        text.trim().parse().map_err(|_| ImdsError::Nonsense {
            path: path.to_owned(),
            text,
        })
    }

    async fn lines<T: FromStr>(&self, path: &str) -> Result<Vec<T>, ImdsError> {
        let text = self.text(path).await?.unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines
            .map(|line| {
                line.parse().map_err(|_| ImdsError::Nonsense {
                    path: path.to_owned(),
                    text: line.to_owned(),
                })
            })
            .collect()
    }

    /// What the instance is.
    ///
    /// # Errors
    /// As [`ImdsError`] says.
    pub async fn identity(&self) -> Result<Identity, ImdsError> {
        let zone = self.needed("placement/availability-zone").await?;
        let region = zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
        Ok(Identity {
            region: region.to_owned(),
            zone,
            instance: self.needed("instance-id").await?,
            instance_type: self.needed("instance-type").await?,
            address: self.parsed("local-ipv4").await?,
            mac: self.needed("mac").await?,
        })
    }

    /// The interfaces' link-layer addresses.
    ///
    /// # Errors
    /// As [`ImdsError`] says.
    pub async fn macs(&self) -> Result<Vec<String>, ImdsError> {
        let lines: Vec<String> = self.lines("network/interfaces/macs/").await?;
        let plain = |line: String| line.trim_end_matches('/').to_owned();
        Ok(lines.into_iter().map(plain).collect())
    }

    /// The interfaces that are attached.
    ///
    /// # Errors
    /// As [`ImdsError`] says.
    pub async fn attached(&self) -> Result<Vec<Attached>, ImdsError> {
        let mut all = Vec::new();
        for mac in self.macs().await? {
            all.push(self.interface(&mac).await?);
        }
        Ok(all)
    }

    /// One interface.
    ///
    /// # Errors
    /// As [`ImdsError`] says; it may just have been detached.
    pub async fn interface(&self, mac: &str) -> Result<Attached, ImdsError> {
        let of = |what: &str| format!("network/interfaces/macs/{mac}/{what}");
        Ok(Attached {
            mac: mac.to_owned(),
            id: self.needed(&of("interface-id")).await?,
            device: self.parsed(&of("device-number")).await?,
            subnet: self.needed(&of("subnet-id")).await?,
            subnet_range: self.parsed(&of("subnet-ipv4-cidr-block")).await?,
            addresses: self.lines(&of("local-ipv4s")).await?,
            prefixes: self.lines(&of("ipv4-prefix")).await?,
        })
    }

    /// What an interface is surrounded by.
    ///
    /// # Errors
    /// As [`ImdsError`] says.
    pub async fn surroundings(&self, mac: &str) -> Result<Surroundings, ImdsError> {
        let of = |what: &str| format!("network/interfaces/macs/{mac}/{what}");
        let mut groups: Vec<String> = self.lines(&of("security-group-ids")).await?;
        groups.sort();
        Ok(Surroundings {
            vpc: self.needed(&of("vpc-id")).await?,
            ranges: self.lines(&of("vpc-ipv4-cidr-blocks")).await?,
            groups,
        })
    }
}

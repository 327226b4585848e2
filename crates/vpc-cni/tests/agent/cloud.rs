//! A make-believe cloud on loopback: one instance's metadata and EC2's API, with every call counted and
//! every signature checked.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use wire::query::pairs;
use wire::sigv4::{Signable, verify};

pub(crate) const INSTANCE: &str = "i-0123456789abcdef0";
const SECRET: &str = "the role's secret";

/// An interface.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interface {
    pub(crate) mac: String,
    pub(crate) subnet: String,
    pub(crate) groups: Vec<String>,
    pub(crate) description: String,
    pub(crate) device: Option<u32>,
    pub(crate) addresses: Vec<Ipv4Addr>,
    pub(crate) prefixes: Vec<Ipv4Net>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) dies_with_instance: bool,
}

/// What there is.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) instance_type: String,
    pub(crate) interfaces: BTreeMap<String, Interface>,
    /// Operations in the order they were called.
    pub(crate) calls: Vec<String>,
    /// How many addresses the subnet has left.
    pub(crate) free: usize,
    /// Operations that the role has no right to.
    pub(crate) forbidden: Vec<&'static str>,
    given: u32,
    ranges: u32,
    pub(crate) groups: Vec<String>,
    tokens: u32,
}

#[derive(Clone)]
pub(crate) struct Cloud {
    state: Arc<Mutex<State>>,
    pub(crate) address: String,
}

/// What EC2 refuses.
type Refusal = (&'static str, String);

impl Cloud {
    /// With an instance of a type that has its first interface.
    pub(crate) async fn new(instance_type: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mut state = State {
            instance_type: instance_type.to_owned(),
            free: 200,
            given: 3,
            groups: vec!["sg-2".to_owned(), "sg-1".to_owned()],
            ..State::default()
        };
        let groups = state.groups.clone();
        let id = state.add("subnet-1", groups, 0, false).unwrap();
        state.interfaces.get_mut(&id).unwrap().device = Some(0);
        let state = Arc::new(Mutex::new(state));
        tokio::spawn(serve(listener, state.clone()));
        Self { state, address }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The operations called since the last look.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state().calls)
    }

    /// How many addresses and prefixes beyond the primary each attached interface has.
    pub(crate) fn units(&self) -> Vec<usize> {
        let state = self.state();
        let mut attached: Vec<_> = state
            .interfaces
            .values()
            .filter_map(|one| Some((one.device?, one.addresses.len() - 1 + one.prefixes.len())))
            .collect();
        attached.sort();
        attached.into_iter().map(|(_, units)| units).collect()
    }
}

impl State {
    fn address(&mut self) -> Result<Ipv4Addr, Refusal> {
        if self.free == 0 {
            let message =
                "The specified subnet does not have enough free addresses to satisfy the request.";
            return Err(("InsufficientFreeAddressesInSubnet", message.to_owned()));
        }
        self.free -= 1;
        self.given += 1;
        Ok(Ipv4Addr::from(0x0a00_0100 + self.given))
    }

    fn range(&mut self) -> Result<Ipv4Net, Refusal> {
        if self.free < 16 {
            let message = "The specified subnet does not have enough free cidr blocks to satisfy the request.";
            return Err(("InsufficientCidrBlocks", message.to_owned()));
        }
        self.free -= 16;
        self.ranges += 1;
        let first = Ipv4Addr::from(0x0a00_0200 + self.ranges * 16);
        Ok(Ipv4Net::new(first, 28).unwrap())
    }

    fn add(
        &mut self,
        subnet: &str,
        groups: Vec<String>,
        units: usize,
        prefixes: bool,
    ) -> Result<String, Refusal> {
        if self.free < 1 + units * if prefixes { 16 } else { 1 } {
            let message =
                "The specified subnet does not have enough free addresses to satisfy the request.";
            return Err(("InsufficientFreeAddressesInSubnet", message.to_owned()));
        }
        let number = self.interfaces.len() + 1;
        let mut interface = Interface {
            mac: format!("06:00:00:00:00:{number:02x}"),
            subnet: subnet.to_owned(),
            groups,
            addresses: vec![self.address()?],
            ..Interface::default()
        };
        for _ in 0..units {
            if prefixes {
                interface.prefixes.push(self.range()?);
            } else {
                interface.addresses.push(self.address()?);
            }
        }
        let id = format!("eni-{number:017x}");
        self.interfaces.insert(id.clone(), interface);
        Ok(id)
    }

    fn metadata(&self, path: &str) -> Option<String> {
        let lines =
            |items: &mut dyn Iterator<Item = String>| Some(items.collect::<Vec<_>>().join("\n"));
        let primary = self.interfaces.values().find(|one| one.device == Some(0))?;
        if let Some(rest) = path.strip_prefix("network/interfaces/macs/") {
            let attached = || {
                self.interfaces
                    .iter()
                    .filter(|(_, one)| one.device.is_some())
            };
            if rest.is_empty() {
                return lines(&mut attached().map(|(_, one)| format!("{}/", one.mac)));
            }
            let (mac, what) = rest.split_once('/')?;
            let (id, one) = attached().find(|(_, one)| one.mac == mac)?;
            return match what {
                "interface-id" => Some(id.clone()),
                "device-number" => one.device.map(|device| device.to_string()),
                "subnet-id" => Some(one.subnet.clone()),
                "vpc-id" => Some("vpc-1".to_owned()),
                "subnet-ipv4-cidr-block" => Some("10.0.1.0/24".to_owned()),
                "vpc-ipv4-cidr-blocks" => Some("10.0.0.0/16".to_owned()),
                "security-group-ids" => Some(self.groups.join("\n")),
                "local-ipv4s" => lines(&mut one.addresses.iter().map(ToString::to_string)),
                "ipv4-prefix" if !one.prefixes.is_empty() => {
                    lines(&mut one.prefixes.iter().map(ToString::to_string))
                }
                _ => None,
            };
        }
        match path {
            "placement/availability-zone" => Some("us-west-2a".to_owned()),
            "instance-id" => Some(INSTANCE.to_owned()),
            "instance-type" => Some(self.instance_type.clone()),
            "mac" => Some(primary.mac.clone()),
            "local-ipv4" => primary.addresses.first().map(ToString::to_string),
            "iam/security-credentials/" => Some("node-role".to_owned()),
            "iam/security-credentials/node-role" => Some(format!(
                r#"{{"Code":"Success","AccessKeyId":"ASIA1","SecretAccessKey":"{SECRET}","Token":"session","Expiration":"2099-01-01T00:00:00Z"}}"#
            )),
            _ => None,
        }
    }

    fn ec2(&mut self, asked: &BTreeMap<String, String>) -> Result<String, Refusal> {
        let operation = asked["Action"].clone();
        self.calls.push(operation.clone());
        if self.forbidden.contains(&operation.as_str()) {
            let message = "You are not authorized to perform this operation.";
            return Err(("UnauthorizedOperation", message.to_owned()));
        }
        let of = |name: &str| asked.get(name).cloned().unwrap_or_default();
        let numbered = |prefix: &str| -> Vec<String> {
            let all = asked.iter().filter(|(name, _)| name.starts_with(prefix));
            all.map(|(_, value)| value.clone()).collect()
        };
        let count = |name: &str| of(name).parse::<usize>().unwrap_or_default();
        let units = count("SecondaryPrivateIpAddressCount").max(count("Ipv4PrefixCount"));
        let prefixes = asked.contains_key("Ipv4PrefixCount");
        let id = of("NetworkInterfaceId");
        let body = match operation.as_str() {
            "DescribeNetworkInterfaces" => {
                let wanted = numbered("NetworkInterfaceId.");
                let all = self.interfaces.iter();
                let items: String = all
                    .filter(|(id, one)| match wanted.is_empty() {
                        true => one.device.is_none(),
                        false => wanted.contains(id),
                    })
                    .map(|(id, one)| described(id, one))
                    .collect();
                format!("<networkInterfaceSet>{items}</networkInterfaceSet>")
            }
            "CreateTags" => {
                let tags = tags(asked, "Tag.");
                let interface = self.interfaces.get_mut(&of("ResourceId.1")).unwrap();
                interface.tags.extend(tags);
                "<return>true</return>".to_owned()
            }
            "AssignPrivateIpAddresses" => {
                if self.free < units * if prefixes { 16 } else { 1 } {
                    let message = "The specified subnet does not have enough free addresses to satisfy the request.";
                    return Err(("InsufficientFreeAddressesInSubnet", message.to_owned()));
                }
                let mut given = Vec::new();
                for _ in 0..units {
                    given.push(if prefixes {
                        self.range()?.to_string()
                    } else {
                        self.address()?.to_string()
                    });
                }
                let interface = self.interfaces.get_mut(&id).unwrap();
                if prefixes {
                    interface
                        .prefixes
                        .extend(given.iter().map(|one| one.parse::<Ipv4Net>().unwrap()));
                    let items = given
                        .iter()
                        .map(|one| format!("<item><ipv4Prefix>{one}</ipv4Prefix></item>"));
                    format!(
                        "<assignedIpv4PrefixSet>{}</assignedIpv4PrefixSet>",
                        items.collect::<String>()
                    )
                } else {
                    interface
                        .addresses
                        .extend(given.iter().map(|one| one.parse::<Ipv4Addr>().unwrap()));
                    let items = given.iter().map(|one| {
                        format!("<item><privateIpAddress>{one}</privateIpAddress></item>")
                    });
                    format!(
                        "<assignedPrivateIpAddressesSet>{}</assignedPrivateIpAddressesSet>",
                        items.collect::<String>()
                    )
                }
            }
            "UnassignPrivateIpAddresses" => {
                let (single, ranges) = (numbered("PrivateIpAddress."), numbered("Ipv4Prefix."));
                self.free += single.len() + 16 * ranges.len();
                let interface = self.interfaces.get_mut(&id).unwrap();
                interface
                    .addresses
                    .retain(|one| !single.contains(&one.to_string()));
                interface
                    .prefixes
                    .retain(|one| !ranges.contains(&one.to_string()));
                String::new()
            }
            "DescribeSubnets" => {
                let free = self.free;
                format!(
                    "<subnetSet><item><subnetId>subnet-1</subnetId><availableIpAddressCount>{free}</availableIpAddressCount></item>\
                     <item><subnetId>subnet-9</subnetId><availableIpAddressCount>250</availableIpAddressCount></item></subnetSet>"
                )
            }
            "CreateNetworkInterface" => {
                let made = self.add(
                    &of("SubnetId"),
                    numbered("SecurityGroupId."),
                    units,
                    prefixes,
                )?;
                let interface = self.interfaces.get_mut(&made).unwrap();
                interface.tags = tags(asked, "TagSpecification.1.Tag.");
                interface.description = of("Description");
                let mac = &interface.mac;
                format!(
                    "<networkInterface><networkInterfaceId>{made}</networkInterfaceId><macAddress>{mac}</macAddress></networkInterface>"
                )
            }
            "DescribeInstances" => {
                let used = self.interfaces.values().filter_map(|one| one.device);
                let items: String = used
                    .map(|device| format!("<item><attachment><deviceIndex>{device}</deviceIndex></attachment></item>"))
                    .collect();
                format!(
                    "<reservationSet><item><instancesSet><item><networkInterfaceSet>{items}</networkInterfaceSet></item></instancesSet></item></reservationSet>"
                )
            }
            "AttachNetworkInterface" => {
                assert_eq!(of("InstanceId"), INSTANCE);
                self.interfaces.get_mut(&id).unwrap().device =
                    Some(of("DeviceIndex").parse().unwrap());
                format!("<attachmentId>attach-{id}</attachmentId>")
            }
            "ModifyNetworkInterfaceAttribute" => {
                let groups = numbered("SecurityGroupId.");
                let interface = self.interfaces.get_mut(&id).unwrap();
                match groups.is_empty() {
                    true => interface.dies_with_instance = true,
                    false => interface.groups = groups,
                }
                String::new()
            }
            "DetachNetworkInterface" => {
                let id = of("AttachmentId").replace("attach-", "");
                self.interfaces.get_mut(&id).unwrap().device = None;
                String::new()
            }
            "DeleteNetworkInterface" => {
                self.interfaces.remove(&id);
                String::new()
            }
            other => panic!("{other}: the agent never asks for this"),
        };
        Ok(format!("<R>{body}</R>"))
    }
}

fn tags(asked: &BTreeMap<String, String>, prefix: &str) -> BTreeMap<String, String> {
    let keys = asked.iter().filter_map(|(name, key)| {
        let number = name.strip_prefix(prefix)?.strip_suffix(".Key")?;
        Some((
            key.clone(),
            asked[&format!("{prefix}{number}.Value")].clone(),
        ))
    });
    keys.collect()
}

fn described(id: &str, one: &Interface) -> String {
    let tags: String = one
        .tags
        .iter()
        .map(|(key, value)| format!("<item><key>{key}</key><value>{value}</value></item>"))
        .collect();
    let attachment = match one.device {
        Some(_) => format!("<attachment><attachmentId>attach-{id}</attachmentId></attachment>"),
        None => String::new(),
    };
    format!(
        "<item><networkInterfaceId>{id}</networkInterfaceId><macAddress>{}</macAddress><description>{}</description>{attachment}<tagSet>{tags}</tagSet></item>",
        one.mac, one.description
    )
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let state = state.clone();
        let service = service_fn(move |request| {
            let state = state.clone();
            async move { Ok::<_, Infallible>(answer(&state, request).await) }
        });
        tokio::spawn(async move {
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn page(status: u16, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

async fn answer(state: &Mutex<State>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut state = state.lock().unwrap();
    let path = head.uri.path().to_owned();
    if head.method == Method::PUT && path == "/latest/api/token" {
        state.tokens += 1;
        return page(200, format!("token-{}", state.tokens));
    }
    if let Some(path) = path.strip_prefix("/latest/meta-data/") {
        let token = head.headers.get("x-aws-ec2-metadata-token");
        // The first token ends at once, so that every run renews it.
        if token.is_none_or(|token| token == "token-1") {
            return page(401, String::new());
        }
        return match state.metadata(path) {
            Some(text) => page(200, text),
            None => page(404, String::new()),
        };
    }
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    assert!(headers.contains(&("x-amz-security-token".to_owned(), "session".to_owned())));
    let signable = Signable {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body: &body,
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let secret = |key: &str| (key == "ASIA1").then(|| SECRET.to_owned());
    let claim = verify(&signable, secret, false, since.as_secs() as i64).unwrap();
    assert_eq!(
        (claim.service.as_str(), claim.region.as_str()),
        ("ec2", "us-west-2")
    );
    let asked = pairs(std::str::from_utf8(&body).unwrap())
        .into_iter()
        .collect();
    match state.ec2(&asked) {
        Ok(text) => page(200, text),
        Err((code, message)) => page(
            400,
            format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>"
            ),
        ),
    }
}

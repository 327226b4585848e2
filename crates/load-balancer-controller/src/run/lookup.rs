//! What models depend on, asked for when they do.

use super::Controller;
use crate::failure::Failure;
use crate::model::stack::Owner;
use crate::model::surround::{Certificate, Needs, Standing, Surroundings};
use aws_client::Aws;
use aws_client::answer::{filter, list, text, texts};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// What was told is good so long.
const FRESH: Duration = Duration::from_secs(2);
/// Certificates change less often.
const CERTIFICATES: Duration = Duration::from_secs(60);

/// Something that was told, and when.
#[derive(Debug)]
struct Told<T>(Mutex<Option<(Instant, T)>>);

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

/// What was told.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    subnets: Told<Vec<Value>>,
    groups: Told<Vec<Value>>,
    certificates: Told<Vec<Certificate>>,
}

impl<T: Clone> Told<T> {
    async fn get(
        &self,
        fresh: Duration,
        ask: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut told = self.0.lock().await;
        if let Some((at, known)) = told.as_ref().filter(|(at, _)| at.elapsed() < fresh) {
            let _ = at;
            return Ok(known.clone());
        }
        let fresh = ask.await?;
        *told = Some((Instant::now(), fresh.clone()));
        Ok(fresh)
    }
}

impl<A: Aws + 'static> Controller<A> {
    /// What a model depends on.
    pub(crate) async fn surroundings(
        &self,
        owner: Owner,
        stack: &str,
        needs: &Needs,
    ) -> Result<Surroundings, Failure> {
        let calls = &self.deployer.calls;
        let of_vpc = json!({"Filter": [filter("vpc-id", &self.deployer.place.vpc)]});
        let asking = async {
            let answer = calls.ec2("DescribeSubnets", of_vpc.clone()).await?;
            Ok(list(&answer, "subnetSet").to_vec())
        };
        let subnets = self.lookups.subnets.get(FRESH, asking).await?;
        let mut surround = Surroundings {
            subnets,
            ..Surroundings::default()
        };
        if needs.groups {
            let asking = async {
                let answer = calls.ec2("DescribeSecurityGroups", of_vpc).await?;
                Ok(list(&answer, "securityGroupInfo").to_vec())
            };
            surround.groups = self.lookups.groups.get(FRESH, asking).await?;
        }
        if needs.certificates {
            let asking = self.ask_certificates();
            let known = &self.lookups.certificates;
            surround.certificates = known.get(CERTIFICATES, asking).await?;
        }
        for (namespace, name) in &needs.secrets {
            if let Some(client) = self.secret(namespace, name).await? {
                surround
                    .secrets
                    .insert(format!("{namespace}/{name}"), client);
            }
        }
        let standing = self
            .deployer
            .inventory
            .of_stack(calls, owner, stack)
            .await?;
        surround.standing = standing.balancers.values().next().map(|thing| {
            let zones = list(&thing.described, "AvailabilityZones").iter();
            Standing {
                scheme: thing.text("Scheme").to_owned(),
                subnets: zones
                    .map(|zone| text(zone, "SubnetId").to_owned())
                    .collect(),
            }
        });
        Ok(surround)
    }

    async fn ask_certificates(&self) -> Result<Vec<Certificate>, Failure> {
        let calls = &self.deployer.calls;
        let asked = json!({"CertificateStatuses": ["ISSUED"]});
        let answer = calls.acm("ListCertificates", asked).await?;
        let mut all = Vec::new();
        for summary in list(&answer, "CertificateSummaryList") {
            let arn = text(summary, "CertificateArn");
            let asked = json!({"CertificateArn": arn});
            let told = calls.acm("DescribeCertificate", asked).await?;
            let told = &told["Certificate"];
            let mut names = texts(told, "SubjectAlternativeNames");
            names.push(text(told, "DomainName").to_owned());
            all.push(Certificate {
                arn: arn.to_owned(),
                names,
            });
        }
        Ok(all)
    }

    /// The client of an identity provider that a secret tells of.
    async fn secret(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<(String, String)>, Failure> {
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        let secret = match self.deployer.kubernetes.get(&path).await {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other?,
        };
        let of = |key: &str| {
            let text = secret["data"][key].as_str()?;
            String::from_utf8(STANDARD.decode(text).ok()?).ok()
        };
        // An older name of the client's id is taken too.
        let id = of("clientID").or_else(|| of("clientId"));
        let trimmed = |text: String| text.trim_end_matches(['\n', '\r']).to_owned();
        Ok(id
            .zip(of("clientSecret"))
            .map(|(id, secret)| (trimmed(id), trimmed(secret))))
    }
}

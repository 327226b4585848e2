//! What the controller finds out at its start.

use super::{Options, run};
use aws_client::http::{Http, HttpError};
use aws_client::imds::{ADDRESS, Imds, ImdsError};
use kube_client::Client;
use std::time::{SystemTime, UNIX_EPOCH};

/// Why the controller can't begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nobody says where it is, and its instance doesn't tell.
    #[error(
        "failed to introspect {what} from EC2Metadata, specify --{flag} instead if EC2Metadata is unavailable: {source}"
    )]
    Unknown {
        /// What is missing.
        what: &'static str,
        /// The flag that would tell.
        flag: &'static str,
        /// What the instance says.
        source: ImdsError,
    },
    /// The metadata service's address isn't one.
    #[error(transparent)]
    Address(#[from] HttpError),
    /// The system gives no signals.
    #[error(transparent)]
    Signals(#[from] std::io::Error),
    /// Another one works in its place.
    #[error("leader election lost")]
    Lost,
}

/// Finds out what flags don't tell, and runs the controller.
///
/// # Errors
/// Where it is can't be found out.
pub async fn start(
    client: Client,
    http: Http,
    mut options: Options,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(), StartError> {
    let imds = Imds::new(http.clone(), ADDRESS)?;
    let region = match options.region.clone().or_else(|| variable("AWS_REGION")) {
        Some(region) => region,
        None => {
            let identity = imds.identity().await;
            let unknown = |source| StartError::Unknown {
                what: "region",
                flag: "aws-region",
                source,
            };
            identity.map_err(unknown)?.region
        }
    };
    if options.vpc.is_empty() {
        options.vpc = vpc(&imds).await.map_err(|source| StartError::Unknown {
            what: "vpcID",
            flag: "aws-vpc-id",
            source,
        })?;
    }
    let host = variable("HOSTNAME").unwrap_or_else(|| "controller".to_owned());
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let identity = format!("{host}_{:x}", since.unwrap_or_default().as_nanos());
    let aws = aws_client::Client::new(http, &region, variable)?;
    run(client, aws, options, identity).await
}

async fn vpc(imds: &Imds) -> Result<String, ImdsError> {
    let identity = imds.identity().await?;
    Ok(imds.surroundings(&identity.mac).await?.vpc)
}

//! A cluster's role at work: what its control plane asks of AWS, signed with the role's session.
//!
//! Control planes lie in AWS's own network, so their calls come from there, whatever the cluster's endpoint is open to.
//! <https://docs.aws.amazon.com/eks/latest/userguide/cluster-iam-role.html>

use crate::caller::{Caller, Lookup};
use crate::cloud::unix_time;
use crate::clusters::Ground;
use crate::internet;
use aws::identity::{Principal, Session};
use aws::model::eks::ClusterKey;
use aws::model::iam::role;
use aws_client::{Credentials, signed};
use bytes::Bytes;
use http::Request;
use serde_json::Value;
use wire::call::{Call, read};
use wire::error::ApiError;
use wire::rest_json::ERROR_TYPE;

/// How long credentials hold after they were made, in seconds.
const LIFE: i64 = 2 * 3600;
/// New ones are made so often, in seconds.
const FRESH: i64 = 3600;

/// Calls AWS's APIs with a cluster's role.
pub(super) struct RoleCaller {
    ground: Ground,
    key: ClusterKey,
}

impl RoleCaller {
    pub(super) fn new(ground: Ground, key: ClusterKey) -> Self {
        Self { ground, key }
    }

    /// The role's credentials now.
    fn credentials(&self) -> Result<Credentials, ApiError> {
        let snapshot = self.ground.cloud.snapshot();
        let state = &snapshot.state;
        let gone = || ApiError::new("AccessDenied", "The cluster's role does not exist.");
        let cluster = state.eks_clusters.get(&self.key).ok_or_else(gone)?;
        let name = cluster.role.rsplit('/').next().unwrap_or_default();
        let role = role::find(state, name).map_err(|_| gone())?;
        let now = unix_time();
        let made = now - now.rem_euclid(FRESH);
        let issued = self.ground.keys.seal.issue(&Session {
            principal: Principal::Role {
                name: role.name.clone(),
                id: role.id.clone(),
                // As EKS names them: a moment in nanoseconds.
                session: format!("{}000000000", cluster.created),
            },
            expires: made + LIFE,
            nonce: "eks".to_owned(),
        });
        Ok(Credentials {
            access_key_id: issued.access_key_id,
            secret_access_key: issued.secret,
            token: issued.token,
            ends: made + LIFE,
        })
    }

    async fn send(&self, call: &Call) -> Result<Value, ApiError> {
        let credentials = self.credentials()?;
        let signed = signed(call, &credentials, &self.key.region, unix_time())?;
        let uri = format!("https://{}{}", signed.host, signed.path);
        let mut request = Request::builder().method(signed.method).uri(uri);
        for (name, value) in &signed.headers {
            request = request.header(name, value);
        }
        let request = request.body(Bytes::from(signed.body)).map_err(failed)?;
        let place = self.ground.cloud.host(internet::services()).await;
        let place = place.ok_or_else(|| failed("the lab's internet is not there"))?;
        let lookup = Lookup::Internet(self.ground.cloud.clone());
        let caller = Caller::new(place, lookup, &self.ground.bundle).map_err(failed)?;
        let answer = caller.send(request).await.map_err(failed)?;
        let kind = answer.headers().get(ERROR_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok());
        let text = String::from_utf8_lossy(answer.body());
        read(call.service, answer.status().as_u16(), kind, &text)
    }
}

impl aws_client::Aws for RoleCaller {
    async fn call(&self, call: Call) -> Result<Value, ApiError> {
        self.send(&call).await
    }
}

fn failed(error: impl ToString) -> ApiError {
    ApiError::new("RequestError", error.to_string())
}

//! What a balancer asks of identity providers, by HTTPS from its node.

use super::network::NodePlace;
use crate::caller::{Caller, Lookup};
use balancer::means::FetchError;
use bytes::Bytes;
use http::{Request, Response};

/// Asks a provider.
///
/// # Errors
/// It can't be reached, isn't who it says, or says too much.
pub(super) async fn fetch(
    node: &NodePlace,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, FetchError> {
    if request.uri().scheme_str() != Some("https") {
        return Err(failed(format!("{} is no HTTPS address", request.uri())));
    }
    let lookup = Lookup::Internet(node.cloud.clone());
    let caller = Caller::new(node.place.clone(), lookup, &node.authority.bundle());
    caller.map_err(failed)?.send(request).await.map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> FetchError {
    FetchError(error.to_string())
}

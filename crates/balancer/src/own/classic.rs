//! What classic load balancers say: a first line, and no body.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ts-elb-error-message.html>

use super::Refusal;

/// What stands behind the status.
pub(super) fn reason(refusal: Refusal) -> &'static str {
    match refusal.status() {
        400 => "BAD_REQUEST",
        405 => "METHOD_NOT_ALLOWED",
        408 => "REQUEST_TIMEOUT",
        413 => "REQUEST_ENTITY_TOO_LARGE",
        414 => "REQUEST_URI_TOO_LONG",
        502 => "BAD_GATEWAY",
        503 => "Service Unavailable: Back-end server is at capacity",
        504 => "GATEWAY_TIMEOUT",
        _ => "",
    }
}

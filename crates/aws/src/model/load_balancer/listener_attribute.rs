//! Listeners' attributes.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html>

use super::setting::{Setting, Values, setting};
use super::*;

const TCP_IDLE: Setting = setting("tcp.idle_timeout.seconds", "350", Values::Number(60, 6000));

/// A header's new name, or a header's value.
const fn header(key: &'static str) -> Setting {
    setting(key, "", Values::Text(1024))
}

const RESPONSE: [Setting; 12] = [
    setting("routing.http.response.server.enabled", "true", Values::Flag),
    header("routing.http.response.strict_transport_security.header_value"),
    header("routing.http.response.access_control_allow_origin.header_value"),
    header("routing.http.response.access_control_allow_methods.header_value"),
    header("routing.http.response.access_control_allow_headers.header_value"),
    header("routing.http.response.access_control_allow_credentials.header_value"),
    header("routing.http.response.access_control_expose_headers.header_value"),
    header("routing.http.response.access_control_max_age.header_value"),
    header("routing.http.response.content_security_policy.header_value"),
    setting(
        "routing.http.response.x_content_type_options.header_value",
        "",
        Values::OneOf(&["", "nosniff"]),
    ),
    setting(
        "routing.http.response.x_frame_options.header_value",
        "",
        Values::OneOf(&["", "DENY", "SAMEORIGIN"]),
    ),
    header("routing.http.request.x_amzn_tls_version.header_name"),
];

const REQUEST: [Setting; 6] = [
    header("routing.http.request.x_amzn_tls_cipher_suite.header_name"),
    header("routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name"),
    header("routing.http.request.x_amzn_mtls_clientcert_issuer.header_name"),
    header("routing.http.request.x_amzn_mtls_clientcert_subject.header_name"),
    header("routing.http.request.x_amzn_mtls_clientcert_validity.header_name"),
    header("routing.http.request.x_amzn_mtls_clientcert_leaf.header_name"),
];

/// The attributes of a kind's listeners: those of requests are HTTPS listeners' only.
pub(super) fn settings(kind: Kind, protocol: Option<Protocol>) -> Vec<Setting> {
    match (kind, protocol) {
        (Kind::Application, Some(Protocol::Https)) => RESPONSE.into_iter().chain(REQUEST).collect(),
        (Kind::Application, _) => RESPONSE[..11].to_vec(),
        (Kind::Network, Some(Protocol::Tcp | Protocol::TcpUdp)) | (Kind::Gateway, _) => {
            vec![TCP_IDLE]
        }
        (Kind::Network, _) => Vec::new(),
    }
}

//! Errors, as each protocol writes them.

use crate::xml::Writer;
use std::fmt;

/// An error of an AWS API: its code, its message and its HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// AWS's code, such as `InvalidVpcID.NotFound`.
    pub code: String,
    /// The message.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
}

impl ApiError {
    /// An error of the client's, status 400 unless AWS answers this code otherwise.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let code = code.into();
        let status = status_of(&code);
        Self {
            code,
            message: message.into(),
            status,
        }
    }

    /// As EC2 writes it.
    pub fn ec2(&self, request_id: &str) -> String {
        let mut writer = Writer::new("item");
        writer.element("Response", |w| {
            w.element("Errors", |w| {
                w.element("Error", |w| self.code_and_message(w));
            });
            w.element("RequestID", |w| w.text(request_id));
        });
        writer.finish()
    }

    /// As the query protocol's services write it.
    pub fn query(&self, namespace: &str, request_id: &str) -> String {
        let mut writer = Writer::new("member");
        writer.element_in("ErrorResponse", namespace, |w| {
            w.element("Error", |w| {
                w.element("Type", |w| {
                    w.text(if self.status >= 500 {
                        "Receiver"
                    } else {
                        "Sender"
                    });
                });
                self.code_and_message(w);
            });
            w.element("RequestId", |w| w.text(request_id));
        });
        writer.finish()
    }

    fn code_and_message(&self, writer: &mut Writer) {
        writer.element("Code", |w| w.text(&self.code));
        writer.element("Message", |w| w.text(&self.message));
    }
}

/// Statuses other than 400.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
fn status_of(code: &str) -> u16 {
    match code {
        "AuthFailure" => 401,
        "DryRunOperation" => 412,
        "NoSuchEntity" => 404,
        "EntityAlreadyExists" | "DeleteConflict" => 409,
        "MissingAuthenticationToken"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "UnauthorizedOperation"
        | "AccessDenied"
        | "OptInRequired" => 403,
        "InternalError" | "InternalFailure" => 500,
        // Kubernetes' service: <https://docs.aws.amazon.com/eks/latest/APIReference/CommonErrors.html>
        "ResourceNotFoundException" | "NotFoundException" => 404,
        "ResourceInUseException" => 409,
        "ServerException" => 500,
        "ServiceUnavailable" | "Unavailable" => 503,
        "InsufficientInstanceCapacity" | "InsufficientAddressCapacity" => 500,
        _ => 400,
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ApiError {}

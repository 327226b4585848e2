//! Why a request gets an answer of the balancer's own instead of a member's.

/// Why a request gets no member's answer.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html#load-balancer-http-error-codes>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It isn't HTTP, or its head is too long, or it was broken off.
    BadRequest,
    /// The user isn't signed in, and a rule refuses those.
    Unauthenticated,
    /// TRACE.
    Method,
    /// The client was silent before the request was whole.
    RequestTimeout,
    /// A function can't take a body of that length.
    BodyTooLarge,
    /// The URL is too long.
    UriTooLong,
    /// `X-Forwarded-For` has more than 30 addresses.
    TooManyForwarded,
    /// Client and pool speak different versions.
    Incompatible,
    /// Who comes back from the identity provider isn't who was sent there; with the log's code.
    NotSignedIn(&'static str),
    /// The identity provider can't be asked; with the log's code.
    ProviderUnreachable(&'static str),
    /// A transfer coding that it doesn't know.
    TransferCoding,
    /// The member closed the connection, or speaks no HTTP, or a function failed.
    BadGateway(Gateway),
    /// The pool has no members that get requests.
    NoMember,
    /// No connection to the member in ten seconds, or no answer in the idle time.
    GatewayTimeout,
    /// A version of HTTP that it doesn't know.
    Version,
    /// The identity provider answered with an error, or what it says doesn't hold; with the log's code.
    ProviderError(&'static str),
}

/// What failed at a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gateway {
    /// The connection, or the answer.
    Target,
    /// A function can't be called.
    FunctionNotCalled,
    /// A function failed.
    FunctionFailed,
    /// A function's answer isn't one.
    FunctionAnswer,
}

impl Refusal {
    /// The status of the answer.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated | Self::NotSignedIn(_) => 401,
            Self::Method => 405,
            Self::RequestTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::UriTooLong => 414,
            Self::TooManyForwarded => 463,
            Self::Incompatible => 464,
            Self::ProviderUnreachable(_) => 500,
            Self::TransferCoding => 501,
            Self::BadGateway(_) => 502,
            Self::NoMember => 503,
            Self::GatewayTimeout => 504,
            Self::Version => 505,
            Self::ProviderError(_) => 561,
        }
    }

    /// Whether the client's connection ends with it: what follows in it can't be relied on.
    pub(crate) fn ends_connection(self) -> bool {
        matches!(self.status(), 400 | 408 | 413 | 414 | 500 | 501 | 505)
    }

    /// Its code in the access log, if it has one.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html#error-reason-codes>
    pub(crate) fn reason(self) -> Option<&'static str> {
        Some(match self {
            Self::NotSignedIn(code)
            | Self::ProviderUnreachable(code)
            | Self::ProviderError(code) => code,
            Self::BodyTooLarge => "LambdaRequestTooLarge",
            Self::BadGateway(Gateway::FunctionNotCalled) => "LambdaAccessDenied",
            Self::BadGateway(Gateway::FunctionFailed) => "LambdaUnhandled",
            Self::BadGateway(Gateway::FunctionAnswer) => "LambdaInvalidResponse",
            _ => return None,
        })
    }
}

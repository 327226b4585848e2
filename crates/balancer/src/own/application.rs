//! The pages of application load balancers.

use bytes::Bytes;

/// What stands in a page, and behind the version in the answer's first line.
pub(super) fn text(status: u16) -> Option<&'static str> {
    Some(match status {
        301 => "301 Moved Permanently",
        302 => "302 Found",
        400 => "400 Bad Request",
        401 => "401 Authorization Required",
        403 => "403 Forbidden",
        405 => "405 Not Allowed",
        408 => "408 Request Time-out",
        411 => "411 Length Required",
        413 => "413 Request Entity Too Large",
        414 => "414 Request-URI Too Large",
        500 => "500 Internal Server Error",
        501 => "501 Not Implemented",
        502 => "502 Bad Gateway",
        503 => "503 Service Temporarily Unavailable",
        504 => "504 Gateway Time-out",
        505 => "505 HTTP Version Not Supported",
        _ => return None,
    })
}

/// The page for a status; AWS's own statuses have none.
pub(super) fn page(status: u16) -> Option<Bytes> {
    let text = text(status)?;
    let page = format!(
        "<html>\r\n<head><title>{text}</title></head>\r\n<body>\r\n\
         <center><h1>{text}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    Some(page.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-ALB: pages are as long as AWS's, whose lengths are seen in answers of real balancers.
    #[test]
    fn lengths() {
        let length = |status| page(status).map(|page| page.len());
        assert_eq!(length(301), Some(134));
        assert_eq!(length(502), Some(122));
        assert_eq!(length(503), Some(162));
        assert_eq!(length(504), Some(132));
        assert_eq!(length(464), None);
    }
}

//! `/run`: a program in a container, and what it says.

use super::Server;
use super::answer::{Body, text};
use super::route::Place;
use crate::exec;
use crate::query::pairs;
use http::{Method, Response, StatusCode};
use hyper::Request;
use hyper::body::Incoming;

impl Server {
    pub(super) async fn run(&self, request: Request<Incoming>, place: Place) -> Response<Body> {
        if request.method() != Method::POST {
            return text(StatusCode::METHOD_NOT_ALLOWED, "405: Method Not Allowed");
        }
        let Some(id) = place.running().map(|instance| instance.id.clone()) else {
            return place.missing();
        };
        let query = pairs(request.uri().query().unwrap_or_default());
        let command: Vec<String> = query
            .iter()
            .filter(|(name, _)| name == "cmd")
            .flat_map(|(_, value)| value.split(' '))
            .map(str::to_owned)
            .collect();
        if command.is_empty() {
            return text(StatusCode::BAD_REQUEST, "cmd is required");
        }
        match exec::run(&self.shared, &id, &command, None).await {
            Ok(ran) if ran.code == 0 => text(StatusCode::OK, ran.output),
            Ok(ran) => {
                let words = format!(
                    "command '{}' exited with {}: {}",
                    command.join(" "),
                    ran.code,
                    ran.output
                );
                text(StatusCode::INTERNAL_SERVER_ERROR, words)
            }
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

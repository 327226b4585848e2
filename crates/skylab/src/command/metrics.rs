//! `skylab metrics`: what the lab counts and measures.

use super::{env, status};
use crate::args;
use crate::failure::Failure;
use lab::control::{self, ControlError, Reply, Request};
use lab::http::METRICS;
use lab::paths::StateDir;

pub(crate) fn run(state: &StateDir, args: &args::Metrics) -> Result<u8, Failure> {
    if args.scrape_config {
        let port = status::ask(state)?.ports.aws;
        let token = env::credentials(state)?.metrics_token;
        print!("{}", scrape_config(port, &token));
        return Ok(0);
    }
    let Reply::Metrics(page) = control::connect(state)?.ask(&Request::Metrics)? else {
        return Err(ControlError::Version.into());
    };
    print!("{page}");
    Ok(0)
}

/// <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config>
fn scrape_config(port: u16, token: &str) -> String {
    format!(
        "scrape_configs:\n\
         - job_name: skylab\n  \
           metrics_path: {METRICS}\n  \
           authorization:\n    \
             credentials: {token}\n  \
           static_configs:\n  \
           - targets: [\"127.0.0.1:{port}\"]\n"
    )
}

//! What is done after a container's start and before its end.
//! <https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/>

use super::act::Work;
use crate::exec;
use crate::http::Get;
use crate::pod::{Container, Handler, HttpGet};
use cri::ContainerId;
use std::net::Ipv4Addr;
use std::time::Duration;

impl Work {
    /// Runs a hook; its failure in upstream's words.
    pub(super) async fn hook(
        &self,
        container: &Container,
        id: &ContainerId,
        handler: &Handler,
    ) -> Result<(), String> {
        let whose = format!(
            "for Container {:?} in Pod {:?}",
            container.name,
            self.pod.told()
        );
        if let Some(exec) = &handler.exec {
            let command = exec.command.join(" ");
            let ran = exec::run(&self.shared, id, &exec.command, None).await;
            let (why, said) = match ran {
                Ok(ran) if ran.code == 0 => return Ok(()),
                Ok(ran) => (
                    format!("command '{command}' exited with {}: ", ran.code),
                    ran.output,
                ),
                Err(error) => (error.to_string(), String::new()),
            };
            return Err(format!(
                "Exec lifecycle hook ([{command}]) {whose} failed - error: {why}, message: {said:?}"
            ));
        }
        if let Some(get) = &handler.http_get {
            let failed = |why: String| {
                format!(
                    "HTTP lifecycle hook ({}) {whose} failed - error: {why}, message: \"\"",
                    get.path
                )
            };
            let answer = request(container, get, self.address(), "kube-lifecycle/1.32")
                .map_err(failed)?
                .send(&*self.shared.means.place)
                .await
                .map_err(failed)?;
            return match answer.status.as_u16() {
                200..400 => Ok(()),
                code => Err(failed(format!("HTTP probe failed with statuscode: {code}"))),
            };
        }
        if let Some(sleep) = &handler.sleep {
            tokio::time::sleep(Duration::from_secs(sleep.seconds)).await;
            return Ok(());
        }
        Err(format!("invalid handler: cannot run it {whose}"))
    }

    /// The pod's address.
    fn address(&self) -> Option<Ipv4Addr> {
        self.seen.sandbox().and_then(|sandbox| sandbox.address)
    }
}

/// The request that a handler asks for.
pub(super) fn request(
    container: &Container,
    get: &HttpGet,
    address: Option<Ipv4Addr>,
    agent: &str,
) -> Result<Get, String> {
    let own = address
        .map(|address| address.to_string())
        .unwrap_or_default();
    let host = if get.host.is_empty() {
        own
    } else {
        get.host.clone()
    };
    let path = if get.path.starts_with('/') {
        get.path.clone()
    } else {
        format!("/{}", get.path)
    };
    Ok(Get {
        scheme: if get.scheme.eq_ignore_ascii_case("https") {
            "https"
        } else {
            "http"
        },
        host,
        port: container.port(&get.port)?,
        path,
        headers: get
            .http_headers
            .iter()
            .map(|header| (header.name.clone(), header.value.clone()))
            .collect(),
        agent: agent.to_owned(),
    })
}

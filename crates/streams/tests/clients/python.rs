//! The official Python client, where it is installed; `PYTHON` names another interpreter.

use crate::port_forward::echo;
use crate::server::Server;
use crate::text;
use std::process::Command;

/// K8S-RUN, K8S-NET: exec with input and exit code, and port-forward by channels.
#[test]
fn streams_by_python() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let found = Command::new(&python)
        .args(["-c", "import kubernetes"])
        .output();
    if !found.is_ok_and(|found| found.status.success()) {
        eprintln!("skipped: {python} has no package kubernetes");
        return;
    }
    let server = Server::start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/python.py");
    let output = Command::new(&python)
        .arg(script)
        .arg(format!("http://{}", server.address))
        .arg(echo().to_string())
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "done\n", "{}", text(&output.stderr));
    let spoken: Vec<_> = server.spoken.try_iter().collect();
    assert!(spoken[0].starts_with("WebSocket(V"), "{spoken:?}");
    assert!(spoken[4].starts_with("WebSocket(Binary, ["), "{spoken:?}");
}

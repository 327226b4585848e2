//! Containers of images with layers.

use crate::trials;
use crate::world::{Images, directory, image, node_with, on_host_network, run};
use cri::{ContainerSpec, Runtime};
use runtime::ImageConfig;

trials![an_image_says_how_it_is_run, a_pod_has_the_last_word];

fn images() -> Images {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let config = ImageConfig {
        entrypoint: [
            "/bin/sh",
            "-c",
            "echo $0 $MODE; pwd; read line < /app/text; echo $line",
        ]
        .map(str::to_owned)
        .to_vec(),
        command: vec!["default".to_owned()],
        environment: vec![pair("MODE", "image")],
        working_dir: "/app".to_owned(),
        user: "app".to_owned(),
        stop_signal: String::new(),
    };
    let mut images = Images::default();
    let files = [
        ("/app/text", "from the image\n"),
        ("/etc/passwd", "app:x:0:0::/app:/bin/sh\n"),
    ];
    let root = image(config, &files);
    images.0.insert("app:1".to_owned(), root);
    images
}

fn spec() -> ContainerSpec {
    ContainerSpec {
        name: "main".to_owned(),
        image: "app:1".to_owned(),
        log: Some(directory().join("0.log")),
        ..ContainerSpec::default()
    }
}

/// K8S-RUN
fn an_image_says_how_it_is_run() {
    let node = node_with(images());
    let sandbox = node
        .run_sandbox(&on_host_network("app"))
        .expect("a sandbox");
    let lines = run(&node, &sandbox, &spec());
    let expected = [
        "stdout F default image",
        "stdout F /app",
        "stdout F from the image",
    ];
    assert_eq!(lines, expected);
}

/// K8S-RUN
fn a_pod_has_the_last_word() {
    let node = node_with(images());
    let sandbox = node
        .run_sandbox(&on_host_network("app"))
        .expect("a sandbox");
    let own = ContainerSpec {
        args: vec!["given".to_owned()],
        env: vec![("MODE".to_owned(), "pod".to_owned())],
        working_dir: Some("/srv".to_owned()),
        ..spec()
    };
    let lines = run(&node, &sandbox, &own);
    assert_eq!(lines[..2], ["stdout F given pod", "stdout F /srv"]);
}

//! Makes an image of directories, as an archive that Skylab, skopeo, podman and containerd import:
//!
//! ```text
//! apt-get download busybox-static && dpkg -x busybox-static_*.deb tree
//! cargo run -p skylab-image --example build -- web.tar example/web:1 \
//!     tree=/ site=/srv entrypoint=/bin/busybox cmd=httpd cmd=-f cmd=-h cmd=/srv port=80/tcp
//! ```
//!
//! `DIRECTORY=/PATH` adds a directory with all that is in it; `layer` begins another layer. `entrypoint`,
//! `cmd`, `env`, `port` and `volume` may come several times; there are `user`, `workdir`, `stop-signal`,
//! `label=NAME=VALUE` and `link=/PATH=TARGET` besides.

use image::{ImageBuilder, Reference};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match build(std::env::args().skip(1).collect()) {
        Ok(said) => {
            eprintln!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("build: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build(arguments: Vec<String>) -> Result<String, Box<dyn std::error::Error>> {
    let [archive, name, rest @ ..] = arguments.as_slice() else {
        return Err("usage: build ARCHIVE NAME [DIRECTORY=/PATH | SETTING=VALUE | layer] …".into());
    };
    let name = Reference::parse(name)?;
    let mut builder = ImageBuilder::new();
    for argument in rest {
        if argument == "layer" {
            builder.layer();
            continue;
        }
        let pair = argument.split_once('=');
        let (what, value) = pair.ok_or_else(|| format!("{argument}: a value is missing"))?;
        add(&mut builder, what, value)?;
    }
    let digest = builder.write_archive(Path::new(archive), &name)?;
    Ok(format!("{archive}: {name} {digest}"))
}

fn add(
    builder: &mut ImageBuilder,
    what: &str,
    value: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let config = &mut builder.config;
    let text = value.to_owned();
    let pair = || {
        let pair = value.split_once('=');
        pair.ok_or_else(|| format!("{what}={value}: a value is missing"))
    };
    match what {
        "entrypoint" => config.entrypoint.push(text),
        "cmd" => config.cmd.push(text),
        "env" => {
            let (name, value) = pair()?;
            config.env.push((name.to_owned(), value.to_owned()));
        }
        "port" => config.exposed_ports.push(text),
        "volume" => config.volumes.push(text),
        "user" => config.user = text,
        "workdir" => config.working_dir = text,
        "stop-signal" => config.stop_signal = text,
        "label" => {
            let (name, value) = pair()?;
            config.labels.insert(name.to_owned(), value.to_owned());
        }
        "link" => {
            let (path, target) = pair()?;
            builder.symlink(path, target);
        }
        directory => {
            builder.tree(Path::new(directory), value)?;
        }
    }
    Ok(())
}

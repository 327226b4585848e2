//! Skylab's chores.
//!
//! `cargo run -p xtask -- generate [--check] BOTOCORE_DATA` reads AWS's published service models from
//! the botocore package's `data` folder and writes the request and response types of the operations
//! named in `xtask/services/*.txt` to `crates/wire/src/generated/`. With `--check` it writes nothing
//! and fails where the tree differs.
//!
//! `cargo run -p xtask -- kubernetes [--check] API APIMACHINERY METRICS` does so with Kubernetes' types,
//! from the unpacked Go sources of k8s.io/api, k8s.io/apimachinery and k8s.io/metrics (Debian's packages
//! golang-k8s-api-dev, golang-k8s-apimachinery-dev and golang-k8s-metrics-dev carry them), for the kinds
//! in `xtask/services/kubernetes.txt`.
#![allow(clippy::print_stdout)]

mod emit;
mod kubernetes;
mod model;
mod names;
mod selection;

use model::Model;
use selection::Selection;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs};

/// A service: its module's name, its folder in botocore's data.
const SERVICES: &[(&str, &str)] = &[
    ("acm", "acm/2015-12-08"),
    ("autoscaling", "autoscaling/2011-01-01"),
    ("cloudformation", "cloudformation/2010-05-15"),
    ("ec2", "ec2/2016-11-15"),
    ("ecr", "ecr/2015-09-21"),
    ("eks", "eks/2017-11-01"),
    ("elb", "elb/2012-06-01"),
    ("elbv2", "elbv2/2015-12-01"),
    ("iam", "iam/2010-05-08"),
    ("ssm", "ssm/2014-11-06"),
    ("sts", "sts/2011-06-15"),
];

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let check = arguments.iter().any(|argument| argument == "--check");
    let words: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| *argument != "--check")
        .collect();
    let outcome = match words.as_slice() {
        ["generate", data] => generate(Path::new(data), check),
        ["kubernetes", api, apimachinery, metrics] => {
            kubernetes([api, apimachinery, metrics].map(Path::new), check)
        }
        _ => {
            println!("usage: cargo run -p xtask -- generate [--check] BOTOCORE_DATA");
            println!("       cargo run -p xtask -- kubernetes [--check] API APIMACHINERY METRICS");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn generate(data: &Path, check: bool) -> Outcome<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (service, folder) in SERVICES.iter().copied() {
        let model = Model::read(&data.join(folder).join("service-2.json.gz"))?;
        let selection = Selection::read(
            &root.join("xtask/services").join(format!("{service}.txt")),
            &model,
        )?;
        let target = root.join("crates/wire/src/generated").join(service);
        for (file, text) in emit::files(&model, &selection)? {
            write(&target.join(file), &formatted(&text)?, check)?;
        }
    }
    Ok(())
}

fn kubernetes(folders: [&Path; 3], check: bool) -> Outcome<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let selection = fs::read_to_string(root.join("xtask/services/kubernetes.txt"))?;
    let table = kubernetes::table(folders, &selection)?;
    write(
        &root.join("crates/kube/src/schema/types.tsv"),
        &table,
        check,
    )
}

/// Writes a file, or with `check` only sees that it is the same.
fn write(path: &Path, text: &str, check: bool) -> Outcome<()> {
    if !check {
        fs::create_dir_all(path.parent().ok_or("a file without a folder")?)?;
        fs::write(path, text)?;
    } else if fs::read_to_string(path).unwrap_or_default() != text {
        let path = path.display();
        return Err(format!("{path} is not what the model gives: generate it again").into());
    }
    Ok(())
}

/// Rust's own formatter, by its standard input.
fn formatted(text: &str) -> Outcome<String> {
    use std::io::Write;
    use std::process::Stdio;
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .ok_or("rustfmt has no standard input")?
        .write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err("rustfmt refuses the generated code".into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#!/usr/bin/env bash
# Sets up a Debian or Ubuntu machine that has Rust and runs every test.
# Needs no root beyond installing a missing C compiler or curl, and no network once crates are fetched.
set -euo pipefail
cd "$(dirname "$0")"

need() { # program, Debian package
    command -v "$1" >/dev/null || missing+=("$2")
}
missing=()
need cc "gcc libc6-dev"
need curl curl
need ip iproute2
need ping iputils-ping
if [ ${#missing[@]} -gt 0 ]; then
    as_root=""
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq ${missing[*]}
fi

cargo test --workspace --locked --no-fail-fast "$@"

#!/usr/bin/env bash
# Sets up a Debian or Ubuntu machine that has Rust, builds Skylab and plays a walkthrough.
#
#   ./demo.sh          figure 6-7 on real packets, from start to cleanup
#   ./demo.sh --keep   build it in your lab and leave it there to look around
#   ./demo.sh eks      an EKS cluster, its load balancers and an ingress; wants aws and kubectl 1.30 or newer
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v cc >/dev/null; then
    as_root=""
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq gcc libc6-dev
fi

cargo build --release --locked --package skylab
exec target/release/skylab demo "$@"

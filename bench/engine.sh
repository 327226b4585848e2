#!/usr/bin/env bash
# The engine beside the bare kernel: the routed path with rules, hosts brought up.
#   bench/engine.sh [path] [hosts]
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo bench --quiet --package skylab-kernel --bench engine -- "$@"

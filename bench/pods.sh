#!/usr/bin/env bash
# What pods cost: from asking to a running program, beside crun, and what many of them hold.
#   bench/pods.sh [count]
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo bench --quiet --package skylab-runtime --bench pods -- "${@:-1000}"

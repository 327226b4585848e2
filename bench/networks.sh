#!/usr/bin/env bash
# walk against packets on 10,000 generated networks of 100 flows; a mismatch prints its seed and shrinks.
set -euo pipefail
cd "$(dirname "$0")/.."
SKYLAB_NETWORKS=${1:-10000} exec cargo test --quiet --package skylab-differential --test generated

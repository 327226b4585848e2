#!/usr/bin/env bash
# A balancer that passes packets on, beside plain routing with connection tracking.
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo bench --quiet --package skylab-kernel --bench balancer

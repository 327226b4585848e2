#!/usr/bin/env bash
# A cluster's node: packets through services, and one change among many services or policy peers.
#   bench/node.sh [packets] [services] [policies]
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo bench --quiet --package skylab-agents --bench node -- "$@"

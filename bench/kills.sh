#!/usr/bin/env bash
# SIGKILL at 1,000 random moments during mutations; a failure prints its seed.
set -euo pipefail
cd "$(dirname "$0")/.."
SKYLAB_KILLS=${1:-1000} exec cargo test --quiet --package skylab --test end_to_end -- \
    --nocapture sigkill::nothing_acknowledged_is_lost

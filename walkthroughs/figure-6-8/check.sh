#!/bin/sh
# Asks figure 6-8's balancer from the internet, one request for every kind of rule and action.
#
#   eval "$(skylab env)"; eval "$(walkthroughs/figure-6-8/build.sh)"; export dns; walkthroughs/figure-6-8/check.sh
set -eu
skylab=${SKYLAB:-skylab}

# ask WANTED PLACE CURL'S WORDS…: the status and body, or the place it is sent to, must hold WANTED.
ask() {
    wanted=$1 place=$2
    shift 2
    answer=$($skylab exec "$place" -- curl -sk -m 5 -w '%{http_code} %{redirect_url}\n' "$@" 2>&1) || true
    case $answer in
    *"$wanted"*) echo "ok: $wanted" ;;
    *) printf 'asked for %s, wanted %s, got:\n%s\n' "$*" "$wanted" "$answer" >&2; exit 1 ;;
    esac
}

at=https://$dns
ask "301 $at:443/x" internet "http://$dns/x"
ask "web-1 /" internet "$at/" "$at/"
ask "web-2 /" internet "$at/" "$at/"
ask "X-Forwarded-Proto: https" internet "$at/"
ask "X-Forwarded-Port: 443" internet "$at/"
ask "X-Forwarded-For: 203.0.113.7" internet:203.0.113.7 "$at/"
ask "api-1 /api/users" internet "$at/api/users"
ask "static200" internet -H 'Host: static.example.com' "$at/"
ask "302 $at:443/new/page" internet "$at/page?old=1"
ask "api-1 /" internet -H 'X-Canary: YES' "$at/"
ask "no403" internet -X DELETE "$at/"
ask "slowly429" internet:203.0.113.66 "$at/"
echo "every rule holds"

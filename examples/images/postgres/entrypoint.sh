#!/bin/sh
# Makes a database on first start, then serves it: the variables that the well-known image knows.
set -eu
bin=/usr/lib/postgresql/15/bin
data=${PGDATA:-/var/lib/postgresql/data}
user=${POSTGRES_USER:-postgres}
if [ "$(id -u)" = 0 ]; then
    become="setpriv --reuid=999 --regid=999 --clear-groups"
else
    become=""
fi
mkdir -p "$data"
if [ "$(id -u)" = 0 ]; then
    chown -R 999:999 "$data"
    chmod 700 "$data"
fi
if [ ! -s "$data/PG_VERSION" ]; then
    umask 077
    echo "${POSTGRES_PASSWORD:?say which password the superuser has: POSTGRES_PASSWORD}" >/tmp/password
    chown 999:999 /tmp/password 2>/dev/null || true
    $become "$bin/initdb" --pgdata="$data" --username="$user" --pwfile=/tmp/password \
        --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 --locale=C --no-sync
    rm -f /tmp/password
    echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
    if [ -n "${POSTGRES_DB:-}" ] && [ "$POSTGRES_DB" != postgres ]; then
        echo "CREATE DATABASE \"$POSTGRES_DB\";" |
            $become "$bin/postgres" --single -D "$data" postgres >/dev/null
    fi
fi
exec $become "$bin/postgres" -D "$data" -c listen_addresses='*'

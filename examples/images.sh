#!/usr/bin/env bash
# Builds the sample images from Debian's packages, with no registry and no container engine:
#   skylab.local/web        the chapter's web server (this repository's)
#   skylab.local/dnsutils   wget, nc, nslookup, curl, ping
#   skylab.local/postgres   PostgreSQL
# as OCI archives in a directory, examples/images by default. Give them to a lab with
#   skylab image import examples/images/*.oci.tar
# Names after the directory build only those: examples/images.sh examples/images postgres
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-examples/images}
only=${*:2}
suite=bookworm

as_root=""
[ "$(id -u)" = 0 ] || as_root=sudo
missing=()
command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
command -v umoci >/dev/null || missing+=(umoci)
if [ ${#missing[@]} -gt 0 ]; then
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

# The machine's own sources if it is a Debian of this suite, else Debian's.
sources=()
if grep -qs "$suite" /etc/apt/sources.list /etc/apt/sources.list.d/*; then
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        [ ! -s "$file" ] || sources+=("$file")
    done
fi

# root NAME PACKAGES [HOOK…]: a tree of files from packages, nothing configured.
root() {
    local name=$1 packages=$2
    shift 2
    echo "== $name: $packages"
    local hooks=() hook
    for hook in "$@"; do hooks+=("--extract-hook=$hook"); done
    mmdebstrap --quiet --variant=extract --include="$packages" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        "${hooks[@]}" "$suite" "$work/$name.tar" "${sources[@]}"
}

# image NAME [umoci config options…]: an archive of one layer.
image() {
    local name=$1
    shift
    umoci init --layout "$work/$name"
    umoci new --image "$work/$name:latest"
    umoci raw add-layer --image "$work/$name:latest" "$work/$name.tar" 2>/dev/null
    umoci config --image "$work/$name:latest" \
        --config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
    # A layout's images have tags and no names; the archive's index says the whole name.
    sed -i "s#\"org.opencontainers.image.ref.name\":\"latest\"#\"org.opencontainers.image.ref.name\":\"skylab.local/$name:latest\"#" \
        "$work/$name/index.json"
    tar -C "$work/$name" -cf "$out/$name.oci.tar" .
    echo "   $out/$name.oci.tar ($(du -h "$out/$name.oci.tar" | cut -f1))"
}

# wanted NAME: whether it is to be built.
wanted() { [ -z "$only" ] || case " $only " in *" $1 "*) ;; *) false ;; esac }

if wanted web; then
    cargo build --release --locked --package skylab-example-web
    root web libc6,libgcc-s1 "install -D target/release/web \$1/usr/local/bin/web"
    image web --config.entrypoint web --config.exposedports 8080/tcp
fi

applets='for name in sh wget sleep cat ls env hostname id ip netstat traceroute; do ln -sf busybox "$1/bin/$name"; done'
if wanted dnsutils; then
    root dnsutils busybox,netcat-openbsd,curl,iputils-ping,bind9-dnsutils "$applets" 'ln -sf nc.openbsd "$1/bin/nc"'
    image dnsutils --config.cmd sh
fi

if wanted postgres; then
    root postgres postgresql-15,busybox,util-linux \
        "$applets" \
        'for name in mkdir chown chmod touch rm; do ln -sf busybox "$1/bin/$name"; done' \
        'echo "root:x:0:0:root:/root:/bin/sh" >"$1/etc/passwd"; echo "postgres:x:999:999::/var/lib/postgresql:/bin/sh" >>"$1/etc/passwd"' \
        'echo "root:x:0:" >"$1/etc/group"; echo "postgres:x:999:" >>"$1/etc/group"' \
        'mkdir -p "$1/var/run/postgresql" "$1/var/lib/postgresql/data"; chown 999:999 "$1/var/run/postgresql" "$1/var/lib/postgresql/data"' \
        "install -D -m 755 $PWD/examples/images/postgres/entrypoint.sh \$1/usr/local/bin/entrypoint.sh"
    image postgres --config.entrypoint entrypoint.sh --config.exposedports 5432/tcp
fi

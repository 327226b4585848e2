#!/bin/bash
# The application load balancer's proxy beside nginx and HAProxy: the same job in the same namespaces, in
# one run. Needs nginx, haproxy, wrk and python3; no root where user namespaces are allowed.
#
#   bench/alb.sh [seconds of each measurement]
#
# A client, a balancer and a member have a namespace each, joined by veths. The balancer has one or a
# hundred rules, of which none takes what is asked for, and sets the X-Forwarded headers and a trace id.
# Each is measured three times, in turns; the middle one counts.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${ALB_INSIDE:-}" ]; then
    [ -n "${ALB_PROXY:-}" ] || (cd "$here" && cargo build --release -q -p skylab-balancer --example alb)
    export ALB_INSIDE=1 ALB_PROXY=${ALB_PROXY:-${CARGO_TARGET_DIR:-$here/target}/release/examples/alb}
    # Each of 10,000 connections may take two descriptors.
    ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
    exec unshare --user --map-root-user --net --mount --pid --fork --mount-proc "$0" "$@"
fi

seconds=${1:-5}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
mount -t tmpfs tmpfs /run

for name in client proxy member; do
    ip netns add $name
    ip -n $name link set lo up
done
join() { # namespace address namespace address
    ip link add "$1-$3" netns "$1" type veth peer name "$3-$1" netns "$3"
    ip -n "$1" addr add "$2/24" dev "$1-$3"
    ip -n "$3" addr add "$4/24" dev "$3-$1"
    ip -n "$1" link set "$1-$3" up
    ip -n "$3" link set "$3-$1" up
}
join client 10.0.1.1 proxy 10.0.1.2
join proxy 10.0.2.1 member 10.0.2.2
for name in client proxy; do
    ip netns exec $name sysctl -qw net.ipv4.ip_local_port_range='1024 65000' net.ipv4.tcp_tw_reuse=1
done

common="user root root; daemon off; error_log $work/error crit;
events { worker_connections 30000; }"
http="access_log off; keepalive_requests 100000000; keepalive_timeout 300;
client_body_temp_path $work; proxy_temp_path $work; fastcgi_temp_path $work;
uwsgi_temp_path $work; scgi_temp_path $work;"
body=$(printf 'x%.0s' {1..100})
echo "$common pid $work/member.pid; worker_processes 1;
http { $http server { listen 80 backlog=4096; location / { return 200 $body; } } }" >"$work/member.conf"

nginx_rules() {
    for i in $(seq 1 "$1"); do
        if [ $((i % 2)) = 0 ]; then
            hosts="$hosts server { listen 81; server_name host$i.example.com; return 404; }"
        else
            paths="$paths location /path$i/ { return 404; }"
        fi
    done
}
nginx_conf() { # rules
    hosts='' paths=''
    nginx_rules "$1"
    echo "$common pid $work/nginx.pid; worker_processes 2;
    http { $http
      upstream member { server 10.0.2.2:80; keepalive 512; keepalive_requests 100000000; }
      server { listen 81 default_server reuseport backlog=4096; $paths
        location / {
          proxy_pass http://member; proxy_http_version 1.1; proxy_set_header Connection '';
          proxy_set_header Host \$host; proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
          proxy_set_header X-Forwarded-Proto \$scheme; proxy_set_header X-Forwarded-Port \$server_port;
          proxy_set_header X-Amzn-Trace-Id Root=1-\$request_id; } }
      $hosts }" >"$work/nginx.conf"
}
haproxy_conf() { # rules
    {
        echo "global
  nbthread 2
  no strict-limits
  maxconn 15000
defaults
  mode http
  timeout connect 10s
  timeout client 300s
  timeout server 300s
frontend f
  bind :82 backlog 4096
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Port 82
  unique-id-format Root=1-%{+X}Ts-%[uuid()]
  unique-id-header X-Amzn-Trace-Id"
        for i in $(seq 1 "$1"); do
            if [ $((i % 2)) = 0 ]; then
                echo "  use_backend none if { hdr(host) -i host$i.example.com }"
            else
                echo "  use_backend none if { path_beg /path$i/ }"
            fi
        done
        echo "  default_backend member
backend none
  http-request return status 404
backend member
  http-reuse always
  server one 10.0.2.2:80"
    } >"$work/haproxy.conf"
}

within() { # namespace command...
    local space=$1
    shift
    exec nsenter --net=/run/netns/"$space" "$@"
}
(within member nginx -c "$work/member.conf" -e "$work/error") &

declare -A pid
start() { # rules
    nginx_conf "$1"
    haproxy_conf "$1"
    (within proxy nginx -c "$work/nginx.conf" -e "$work/error") & pid[nginx]=$!
    (within proxy haproxy -db -q -f "$work/haproxy.conf") & pid[haproxy]=$!
    (within proxy "$ALB_PROXY" 80 "$1" 2 10.0.2.2:80 >/dev/null) & pid[alb]=$!
    sleep 1
}
stop() {
    for name in nginx haproxy alb; do kill "${pid[$name]}"; wait "${pid[$name]}" 2>/dev/null || true; done
}
port() { case $1 in alb) echo 80 ;; nginx) echo 81 ;; haproxy) echo 82 ;; esac; }
family() { echo "$1" "$(pgrep -P "$1" || true)"; }
ticks() { # pid: user and system time of it and its children
    local sum=0 user system
    for one in $(family "$1"); do
        read -r user system < <(awk '{print $14, $15}' "/proc/$one/stat")
        sum=$((sum + user + system))
    done
    echo $sum
}
resident() { # pid: KiB of it and its children that are no other's
    local sum=0
    for one in $(family "$1"); do
        sum=$((sum + $(awk '/^Private/ {sum += $2} END {print sum}' "/proc/$one/smaps_rollup")))
    done
    echo $sum
}
measure() { # name header...: requests a second, p99 in ms, CPU µs a request
    local name=$1 before after
    shift
    before=$(ticks "${pid[$name]}")
    (within client wrk -t1 -c64 -d"$seconds" --latency "$@" "http://10.0.1.2:$(port "$name")/") >"$work/wrk"
    after=$(ticks "${pid[$name]}")
    awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" '
        function ms(text) { return text ~ /us$/ ? text / 1000 : text ~ /ms$/ ? text + 0 : text * 1000 }
        /99%/ { p99 = ms($2) } /requests in/ { count = $1 } /Requests\/sec/ { rate = $2 }
        /Non-2xx|Socket errors/ { print > "/dev/stderr" }
        END { printf "%d %.2f %.1f\n", rate, p99, ticks * 1e6 / hz / count }' "$work/wrk"
}
middle() { sort -n -k"$1" "$2" | awk -v key="$1" 'NR == 2 {print $key}'; }

printf '%-26s %31s   %31s\n' '' 'requests/s (p99 ms, CPU µs each)' 'ratio to nginx and HAProxy'
for rules in 1 100; do
    start $rules
    for kind in keep-alive close; do
        header=(-H 'X-None: 1')
        [ $kind = close ] && header=(-H 'Connection: close')
        rm -f "$work"/result-*
        for _ in 1 2 3; do
            for name in nginx haproxy alb; do measure $name "${header[@]}" >>"$work/result-$name"; done
        done
        for name in nginx haproxy alb; do
            read -r "rate_$name" "p99_$name" "cpu_$name" < <(
                for key in 1 2 3; do middle $key "$work/result-$name"; done | xargs)
        done
        label="$rules rules, $kind"
        for name in nginx haproxy alb; do
            rate=rate_$name p99=p99_$name cpu=cpu_$name
            printf '%-18s %-7s %8d (%6.2f, %5.1f)' "$label" $name ${!rate} ${!p99} ${!cpu}
            if [ $name = alb ]; then
                awk -v a=$rate_alb -v n=$rate_nginx -v h=$rate_haproxy -v pa=$p99_alb -v pn=$p99_nginx \
                    -v ph=$p99_haproxy -v ca=$cpu_alb -v cn=$cpu_nginx -v ch=$cpu_haproxy 'BEGIN {
                    printf "   rate %.2f %.2f, p99 %.2f %.2f, CPU %.2f %.2f", a/n, a/h, pa/pn, pa/ph, ca/cn, ca/ch }'
            fi
            echo
        done
    done
    stop
done

cat >"$work/hold.py" <<'PYTHON'
import socket, sys
at, count = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
ask = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
held = []
def all_ask():
    for one in held:
        one.sendall(ask)
        answer = b""
        while not answer.endswith(b"xxxx"):
            answer += one.recv(4096)
for _ in range(count):
    held.append(socket.create_connection(at))
print("open", flush=True); sys.stdin.readline()
all_ask()
print("asked", flush=True); sys.stdin.readline()
for _ in range(5): all_ask()
print("again", flush=True); sys.stdin.readline()
PYTHON
echo
echo '10,000 open connections, KiB each: silent; after a request each; after five more'
start 1
for name in nginx haproxy alb; do
    base=$(resident "${pid[$name]}")
    coproc HOLD { within client python3 "$work/hold.py" 10.0.1.2 "$(port $name)" 10000; }
    line=$name
    for _ in 1 2 3; do
        read -r _ <&"${HOLD[0]}"
        now=$(resident "${pid[$name]}")
        line="$line $(awk -v k=$((now - base)) 'BEGIN {printf "%.2f", k / 10000}')"
        echo >&"${HOLD[1]}"
    done
    wait "$HOLD_PID" || true
    printf '%-8s %8s %8s %8s\n' $line
done
stop

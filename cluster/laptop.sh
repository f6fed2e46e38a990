#!/bin/sh
# A Ray cluster of two nodes (head and worker) on this machine, to try what a real one does.
# A study needs none of this: without an address, a launch starts Ray by itself.
#
#   cluster/laptop.sh start     start it, and print how to use it
#   cluster/laptop.sh stop      stop it, and no other Ray on this machine
#   cluster/laptop.sh status    tell whether it runs
set -eu

port=${MATOPT_RAY_PORT:-6379}
cpus=${MATOPT_RAY_CPUS:-$(nproc)}
folder=${MATOPT_RAY_FOLDER:-/tmp/matopt-ray-$(id -u)} # short: sockets lie below it, whose paths may have 107 characters
python=${PYTHON:-$(cd "$(dirname "$0")/.." && pwd)/.venv/bin/python}

export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH="$folder/token"
export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0
# Ray takes the machine's own address in place of 127.0.0.1, and then listens on every interface. A head stays
# on the loopback with the setting that Ray has for other systems; with it Ray refuses a second node, which
# therefore has it off, and is told its address instead.
loopback_head='from ray.scripts.scripts import main; main()'
loopback_worker="import ray._private.services as s; s.get_node_ip_address = lambda address=None: '127.0.0.1'; $loopback_head"

alive() { [ -s "$folder/$1.pid" ] && kill -0 "$(cat "$folder/$1.pid")" 2>/dev/null; }

# start_node NAME PROGRAM ARGUMENT...: a node is a process group of its own, so that it can be stopped as a whole.
start_node() {
    name=$1 program=$2
    shift 2
    setsid "$python" -c "$program" start --block --node-ip-address 127.0.0.1 --disable-usage-stats "$@" \
        >"$folder/$name.log" 2>&1 </dev/null &
    echo $! >"$folder/$name.pid"
}

wait_for() {
    tries=0
    until grep -q 'Ray runtime started' "$folder/$1.log"; do
        tries=$((tries + 1))
        if ! alive "$1" || [ "$tries" -ge 60 ]; then
            echo "the $1 did not start:" >&2
            tail -n 5 "$folder/$1.log" >&2
            "$0" stop
            exit 1
        fi
        sleep 1
    done
}

stop_node() {
    alive "$1" || return 0
    pid=$(cat "$folder/$1.pid")
    kill -TERM "-$pid"
    for _ in $(seq 50); do
        kill -0 "-$pid" 2>/dev/null || break
        sleep 0.2
    done
    kill -KILL "-$pid" 2>/dev/null || true
    rm -f "$folder/$1.pid"
}

case ${1:-} in
start)
    [ -x "$python" ] || { echo "no Python at $python: run 'make install', or set PYTHON" >&2; exit 2; }
    if alive head; then
        echo "it runs already (process $(cat "$folder/head.pid"))" >&2
        exit 1
    fi
    umask 077 # nobody else reads the token or the logs
    mkdir -p "$folder"
    [ "$(stat -c %u "$folder")" = "$(id -u)" ] || { echo "$folder is somebody else's" >&2; exit 1; }
    chmod 700 "$folder"
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$folder/token"
    half=$(((cpus + 1) / 2))
    export RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0
    start_node head "$loopback_head" --head --port "$port" --num-cpus "$half" --include-dashboard false --temp-dir "$folder/ray"
    wait_for head
    export RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=1
    start_node worker "$loopback_worker" --address "127.0.0.1:$port" --num-cpus "$half"
    wait_for worker
    cat <<END
Ray runs at 127.0.0.1:$port with 2 nodes of $half CPUs. To use it:

  export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$folder/token RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0
  matopt study launch studies/quickstart.yaml --address 127.0.0.1:$port
END
    ;;
stop)
    stop_node worker
    stop_node head
    rm -rf "$folder/token" "$folder/ray"
    ;;
status)
    if alive head && alive worker; then echo "runs at 127.0.0.1:$port"; else echo "does not run"; exit 1; fi
    ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

#!/bin/bash
# Refuse a deployment file that the tool it is written for would refuse.
# Usage: deploy/check.sh [DIRECTORY]   (this directory, or a copy of it)
# Tools from requirements-dev.txt must be in PATH or in .venv; systemd-analyze and nginx are used where they are installed.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
files=$(cd "${1:-$here}" && pwd)
PATH=$PATH:/usr/sbin:$here/../.venv/bin
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# check NAME COMMAND…: a check that fails, or that says anything on standard error, is a failure.
# (systemd-analyze verify ends with 0 even for a key that it does not know.)
check() {
    local name=$1
    shift
    if "$@" >"$scratch/out" 2>"$scratch/err" && [ ! -s "$scratch/err" ]; then
        echo "ok       $name"
    else
        echo "REFUSED  $name"
        cat "$scratch/out" "$scratch/err"
        failed=1
    fi
}

installed() {
    command -v "$1" >/dev/null || {
        echo "absent   $1 is not installed: $2 was not checked"
        return 1
    }
}

check "Containerfile (hadolint)" hadolint "$files/Containerfile"
check "compose.yaml (Compose)" docker-compose --file "$files/compose.yaml" config --quiet
check "compose.yaml (the Compose specification's schema)" check-jsonschema --builtin-schema vendor.compose-spec "$files/compose.yaml"

if installed systemd-analyze fusion-hub.service; then
    # The program need not be installed on the machine that checks.
    sed 's|/opt/fusion-hub/bin/hub|/bin/true|' "$files/fusion-hub.service" >"$scratch/fusion-hub.service"
    check "fusion-hub.service (systemd)" systemd-analyze verify --man=no "$scratch/fusion-hub.service"
    check "fusion-hub.service (its sandbox)" systemd-analyze security --offline=true --threshold=20 "$scratch/fusion-hub.service"
fi

if installed nginx nginx.conf; then
    openssl req -x509 -newkey rsa:2048 -noenc -days 1 -subj /CN=hub.example.org -keyout "$scratch/key.pem" -out "$scratch/chain.pem" 2>/dev/null
    cp "$scratch/chain.pem" "$scratch/client-authorities.pem"
    # nginx opens what it is told to, also for a test: an ordinary user may have neither its ports, nor its logs, nor the places for its buffers.
    temporary=$(printf "%s_temp_path $scratch/%s; " client_body body proxy proxy fastcgi fastcgi uwsgi uwsgi scgi scgi)
    sed -e "s|/etc/fusion-hub/tls|$scratch|" -e "s|/var/log/nginx|$scratch|" -e "s|/run/nginx.pid|$scratch/nginx.pid|" \
        -e "s|listen \[::\]:|listen unix:$scratch/ipv6-|" -e "s|listen \([0-9]\)|listen unix:$scratch/ipv4-\1|" \
        -e "s|^http {|http { $temporary|" "$files/nginx.conf" >"$scratch/nginx.conf"
    check "nginx.conf (nginx)" nginx -t -q -p "$scratch" -e "$scratch/early.log" -c "$scratch/nginx.conf"
fi

exit "$failed"

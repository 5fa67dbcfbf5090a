#!/usr/bin/env bash
# Print a Python 3.11 that can make virtual environments, or say on stderr how to get one.
# 3.11 exactly: bpy 4.5, which writes the .blend files, exists for no other version.
# Usage: tools/find_python.sh [CANDIDATE]
set -euo pipefail

usable() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1
}

find_usable() {
    local candidate
    for candidate in "$@"; do
        if usable "$candidate"; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    return 1
}

if [ -n "${1:-}" ]; then
    find_usable "$1" && exit 0
    echo "PYTHON=$1 is not a Python 3.11 with venv" >&2
    exit 1
fi

candidates=(python3.11 python3 python "$HOME"/.pyenv/versions/3.11.*/bin/python)
find_usable "${candidates[@]}" && exit 0

install_venv() {
    echo "installing python3.11-venv" >&2
    apt-get update -q >&2 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3.11-venv >&2
}

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && install_venv; then
    find_usable "${candidates[@]}" && exit 0
fi

cat >&2 <<'TEXT'
No Python 3.11 with venv found. Get one, then run make again:
  Debian 12, Ubuntu with python3.11:  sudo apt-get install python3.11-venv
  anywhere, with pyenv:               pyenv install 3.11
  or name it:                         make PYTHON=/path/to/python3.11 ...
TEXT
exit 1

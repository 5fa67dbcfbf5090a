#!/usr/bin/env bash
# Print a Python of the given version that can make virtual environments, or say on stderr how to get one.
# The version is exact because each bpy exists for one only: 4.2 to 5.0 for 3.11, 5.1 and later for 3.13.
# Usage: tools/find_python.sh VERSION [CANDIDATE]
set -euo pipefail
version=$1

usable() {
    "$1" -c "import ensurepip, sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" >/dev/null 2>&1
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

if [ -n "${2:-}" ]; then
    find_usable "$2" && exit 0
    echo "$2 is not a Python $version with venv" >&2
    exit 1
fi

candidates=("python$version" python3 python "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version."*/bin/python)
find_usable "${candidates[@]}" && exit 0

install_venv() {
    echo "installing python$version-venv" >&2
    apt-get update -q >&2 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "python$version-venv" >&2
}

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && install_venv; then
    find_usable "${candidates[@]}" && exit 0
fi

cat >&2 <<TEXT
No Python $version with venv found. Get one, then run make again:
  a Debian or Ubuntu that has it:  sudo apt-get install python$version-venv
  anywhere, with pyenv:            pyenv install $version
  or name it:                      make PYTHON${version/./}=/path/to/python$version ...
TEXT
exit 1

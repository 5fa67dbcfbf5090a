#!/usr/bin/env bash
# Make FOLDER a small Debian 13 that holds Blender 4.3 with a window: a virtual screen, mouse, keyboard, software OpenGL.
# The tests with a window run in it through bubblewrap, so nothing is installed or mounted in the system itself.
# Its packages come from the mirror that this system's own apt uses. 1.2 GB; 1 to 2 minutes.
# Exit status 0: FOLDER is ready. Otherwise the last line says why it cannot be made here.
# Usage: tools/blender_root.sh FOLDER
set -euo pipefail
root=$1
suite=trixie
packages=blender,python3-numpy,python3-requests,libegl1,libgl1,libgl1-mesa-dri,xvfb,xauth,xdotool,scrot

cannot() {
    echo "$*"
    exit 1
}

sandbox_works() {
    bwrap --ro-bind / / --dev /dev --proc /proc --unshare-pid true
}

have_tools() {
    command -v mmdebstrap >/dev/null && command -v bwrap >/dev/null
}

install_tools() {
    [ "$(id -u)" = 0 ] && apt-get update -q &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends mmdebstrap bubblewrap
}

find_mirror() {
    local release
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    # shellcheck disable=SC2016  # apt fills these in
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' |
        awk -v release="$release" '$2 == release && $3 == "main" { print $1; exit }'
}

[ "$(uname -s)" = Linux ] || cannot "a Blender with a virtual screen is made from Debian packages, on Linux only"
command -v apt-get >/dev/null || cannot "no apt-get here, whose mirror would have Debian's Blender"
have_tools || install_tools || cannot "mmdebstrap and bubblewrap are missing: sudo apt-get install mmdebstrap bubblewrap"
sandbox_works || cannot "bubblewrap may not make a sandbox here"
[ -x "$root/usr/bin/blender" ] && exit 0

mirror=$(find_mirror)
[ -n "$mirror" ] || cannot "apt names no mirror for this release's packages"
rm -rf --one-file-system "$root" "$root.part"
mkdir -p "$(dirname "$root")"
mmdebstrap --variant=minbase --aptopt='APT::Install-Recommends "false"' --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    "$suite" "$root.part" "$mirror" || cannot "mmdebstrap could not make Debian $suite from the mirror of this system's apt"
ln -sf /proc/mounts "$root.part/etc/mtab" # Blender lists mounted file systems for its file browser
mv "$root.part" "$root"

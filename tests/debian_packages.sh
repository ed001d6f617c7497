#!/bin/sh
# Installs the Debian packages that tests use, where this is Debian and we are root; else the tests that need them skip.
set -eu

packages="buildah chromium mmdebstrap prometheus valgrind"

missing=""
for package in $packages; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
# Node may have come from elsewhere.
command -v npm >/dev/null || missing="$missing nodejs npm"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Not installed, so the tests that use them will skip:$missing"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
lock="-o DPkg::Lock::Timeout=300"
# shellcheck disable=SC2086  # two words
apt-get $lock update --quiet --quiet
# RUNLEVEL=1: only the programs are wanted, the services that come with them are not started.
# shellcheck disable=SC2086  # lists of words
RUNLEVEL=1 apt-get $lock install --quiet --quiet --yes --no-install-recommends $missing >/dev/null

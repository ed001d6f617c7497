#!/bin/sh
# Installs Debian packages, where this is Debian and we are root; else what needs them skips, or says that it cannot.
#
#     debian_packages.sh [PACKAGE...]         those that tests use, unless others are named
set -eu

if [ $# -eq 0 ]; then
    set -- apache2 buildah caddy chromium curl faketime haproxy iproute2 iptables mmdebstrap nginx prometheus shellcheck squid \
        systemd valgrind
    # Node may have come from elsewhere.
    command -v npm >/dev/null || set -- "$@" nodejs npm
fi

missing=""
for package; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Not installed, so what needs them will not run:$missing"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
lock="-o DPkg::Lock::Timeout=300"
# shellcheck disable=SC2086  # two words
apt-get $lock update --quiet --quiet
# RUNLEVEL=1: only the programs are wanted, the services that come with them are not started.
# shellcheck disable=SC2086  # lists of words
RUNLEVEL=1 apt-get $lock install --quiet --quiet --yes --no-install-recommends $missing >/dev/null

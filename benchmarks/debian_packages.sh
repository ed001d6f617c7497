#!/bin/sh
# Installs the Debian packages that compiling the C programs takes.
set -eu

set -- libssl-dev zlib1g-dev
# Compiler and openssl, which makes the certificate, may have come from elsewhere.
command -v "${CC:-cc}" >/dev/null || set -- "$@" gcc libc6-dev
command -v openssl >/dev/null || set -- "$@" openssl
exec sh "$(dirname "$0")/../tests/debian_packages.sh" "$@"

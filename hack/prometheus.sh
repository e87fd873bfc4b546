#!/bin/sh
# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Prints where a Prometheus is: prometheus.sh
#
# The one that is installed; else Debian's package, of which the program alone is unpacked into .build/prometheus, without root and without installing
# anything. The tests of checks that ask Prometheus need it, and nothing else does.
set -eu
cd "$(dirname "$0")/.."
kept=$PWD/.build/prometheus/prometheus

# works says whether a file is a Prometheus that runs here.
works() {
  "$1" --version 2>&1 | grep -q '^prometheus, version'
}

installed=$(command -v prometheus || true)
for program in "$installed" "$kept"; do
  if [ -n "$program" ] && [ -x "$program" ] && works "$program"; then
    echo "$program"
    exit 0
  fi
done

fail() {
  echo "There is no Prometheus, and $1." >&2
  echo "Install one so that \`prometheus\` is on the PATH, from your system's packages or https://prometheus.io/download, and try again." >&2
  exit 1
}

for tool in apt-get dpkg-deb tar; do
  command -v "$tool" >/dev/null || fail "Debian's package cannot be had without $tool"
done
mkdir -p .build
work=$(mktemp -d "$PWD/.build/prometheus-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# get downloads the package, verified by apt against the signed list of packages.
get() {
  (cd "$work" && apt-get -q -o APT::Sandbox::User="$(id -un)" "$@" download prometheus) >>"$work/log" 2>&1
}

echo "getting Prometheus from Debian's packages, about 20 MB" >&2
if ! get; then
  # A new machine may have no lists of packages, and they are not ours to write: they go beside the package.
  mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
  set -- -o Dir::State="$work/state" -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$work/cache"
  if ! apt-get -q -o APT::Sandbox::User="$(id -un)" "$@" update >>"$work/log" 2>&1 || ! get "$@"; then
    cat "$work/log" >&2
    fail "Debian's package could not be downloaded"
  fi
fi
mkdir "$work/unpacked"
dpkg-deb --fsys-tarfile "$work"/prometheus_*.deb | tar -x -C "$work/unpacked" ./usr/bin/prometheus || fail "Debian's package could not be unpacked"
works "$work/unpacked/usr/bin/prometheus" || fail "the one of Debian's package does not run here"
mkdir -p "$(dirname "$kept")"
mv -f "$work/unpacked/usr/bin/prometheus" "$kept"
echo "$kept"

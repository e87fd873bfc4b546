#!/bin/sh
# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Sees to it that Debian's packages are there, or programs of their names: packages.sh NAME…
#
# Those that are missing are installed where that is possible without asking: by root, or by sudo without a password. Elsewhere this fails, and says how
# to install them.
set -eu

present() {
  command -v "$1" >/dev/null || [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=
for name; do
  present "$name" || missing="$missing $name"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
  as_root="sudo -n"
fi
if ! command -v apt-get >/dev/null || ! $as_root true 2>/dev/null; then
  echo "The tests need$missing, and cannot install them here: install them, for example by \`sudo apt-get install$missing\`, and try again." >&2
  exit 1
fi
echo "installing from Debian's packages:$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# install says nothing unless it fails. A new machine may have no lists of packages, or old ones.
install() {
  # shellcheck disable=SC2086 # each is a word
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing >"$log" 2>&1
}
if ! install; then
  $as_root apt-get -q update >"$log" 2>&1 || true
  if ! install; then
    cat "$log" >&2
    exit 1
  fi
fi

#!/bin/sh
# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs each fuzz target for a while, one after the other: fuzz.sh DURATION
set -eu
cd "$(dirname "$0")/.."

targets=$(git grep --untracked -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed -E 's|/[^/]*_test\.go:func | |') || true
[ -n "$targets" ] || { echo "there are no fuzz targets"; exit 0; }
echo "$targets" | while read -r folder name; do
  echo "fuzzing $name in $folder for $1"
  go test -run='^$' -fuzz="^$name\$" -fuzztime="$1" "./$folder"
done

#!/bin/sh
# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Lints each module that has Go code: lint.sh [FLAG...]
# All modules are linted; the exit code says whether all are clean. Wants GOLANGCI_LINT and MODULES.
set -eu
cd "$(dirname "$0")/.."
configuration=$PWD/.golangci.yml
result=0
for module in $MODULES; do
  [ -n "$(go -C "$module" list ./... 2>/dev/null)" ] || continue
  echo "linting $module"
  (cd "$module" && "$GOLANGCI_LINT" run --config="$configuration" "$@" ./...) || result=1
done
exit $result

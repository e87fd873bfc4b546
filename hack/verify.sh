#!/bin/sh
# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Checks that what is generated is current, modules are tidy, and every Go file is formatted, vetted, linted and has its header.
# All checks run; the exit code says whether all hold. Wants CONTROLLER_GEN, GOLANGCI_LINT and MODULES.
set -eu
cd "$(dirname "$0")/.."
failed=

# check NAME REMEDY COMMAND... runs one check.
check() {
  name=$1 remedy=$2
  shift 2
  echo "checking $name"
  if ! "$@"; then
    echo "FAILED: $name. $remedy" >&2
    failed="$failed
  $name"
  fi
}

go_files() {
  git ls-files --cached --others --exclude-standard '*.go' | while read -r file; do [ ! -f "$file" ] || echo "$file"; done
}

# The generators run on a copy, so that checking changes nothing and uncommitted work is checked too.
generated_is_current() {
  copy=$(mktemp -d)
  mkdir -p "$copy/hack" "$copy/config/crd"
  cp -R api go.mod go.sum "$copy/"
  cp -R config/crd/. "$copy/config/crd/"
  cp hack/boilerplate.go.txt "$copy/hack/"
  result=0
  sh hack/generate.sh "$CONTROLLER_GEN" "$copy" || result=1
  for generated in api config/crd; do
    git --no-pager diff --no-index --stat "$generated" "$copy/$generated" || result=1
  done
  rm -rf "$copy"
  return $result
}

modules_are_tidy() {
  result=0
  for module in $MODULES; do
    go -C "$module" mod tidy -diff || { echo "not tidy: $module"; result=1; }
  done
  return $result
}

formatted() {
  unformatted=$(go_files | xargs gofmt -l)
  [ -z "$unformatted" ] || { echo "$unformatted"; return 1; }
}

headers_are_there() {
  # Generated files have a build constraint before it.
  missing=$(go_files | while read -r file; do
    head -n 4 "$file" | grep -qF "$(tail -n 1 hack/boilerplate.go.txt)" || echo "$file"
  done)
  [ -z "$missing" ] || { echo "$missing"; return 1; }
}

vetted() {
  result=0
  for module in $MODULES; do
    [ -z "$(go -C "$module" list ./... 2>/dev/null)" ] || go -C "$module" vet ./... || result=1
  done
  return $result
}

check "generated files" "Run: make generate" generated_is_current
check "modules" "Run: go mod tidy, in the module shown" modules_are_tidy
check "format" "Run: make fmt" formatted
check "headers" "Begin these files with hack/boilerplate.go.txt" headers_are_there
check "vet" "See above" vetted
check "lint" "See above; make lint-fix repairs some" sh hack/lint.sh

[ -z "$failed" ] || { echo "not as they should be:$failed" >&2; exit 1; }

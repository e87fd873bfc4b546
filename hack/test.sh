#!/bin/sh
# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs everything a change must pass: test.sh [unit]
# Or takes a folder of applications through their versions and back, and nothing else: test.sh apps FOLDER
#
# First the tests that need no cluster; then those of the local cluster itself; then, on a cluster that it starts in a directory of its
# own and always stops, the suites: the packages whose tests use test/cluster. They find the cluster's directory in ASSENT_DEVCLUSTER.
set -eu
cd "$(dirname "$0")/.."
started=$(date +%s)
# Colours are for people who watch.
[ -t 1 ] || export GINKGO_NO_COLOR=TRUE
cluster=

say() {
  seconds=$(($(date +%s) - started))
  printf '\n==> %dm%02ds %s\n' $((seconds / 60)) $((seconds % 60)) "$1"
}

stop_cluster() {
  result=$?
  trap - EXIT
  if [ -n "$cluster" ]; then
    say "stopping the cluster"
    "$devcluster" down --dir "$cluster" || result=1
    # A suite that was ended by force leaves its second cluster behind.
    if [ -d "$cluster/second" ]; then "$devcluster" down --dir "$cluster/second" || result=1; fi
    if [ $result = 0 ]; then rm -rf "$cluster"; else echo "the cluster's logs are kept in $cluster"; fi
  fi
  if [ $result = 0 ]; then say "all tests passed"; else say "FAILED"; fi
  exit $result
}
trap stop_cluster EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

apps=
if [ "${1:-}" = apps ]; then
  apps=$(cd "${2:?"say which folder: make test-apps APPS=FOLDER"}" && pwd)
fi

say "finding the tests"
suites=$(go list -test -f '{{if .ForTest}}{{else}}{{$p := .ImportPath}}{{range .Deps}}{{if eq . "github.com/assent-dev/assent/test/cluster"}}{{$p}}{{end}}{{end}}{{end}}' ./... |
  sed -n 's/\.test$//p')
pure=$(go list ./...)
for suite in $suites; do
  pure=$(echo "$pure" | grep -vx "$suite")
done

if [ -z "$apps" ]; then
  say "running the tests that need no cluster; the first time, their dependencies are compiled, which takes minutes"
  # shellcheck disable=SC2086 # the lists are split on purpose
  go test -v -timeout 20m $pure
fi
[ "${1:-}" != unit ] || exit 0

[ -n "$suites" ] || { echo "there is no suite that uses test/cluster" >&2; exit 1; }
mkdir -p .build
devcluster=$PWD/.build/devcluster
say "finding Prometheus, which a test of checks starts"
sh hack/prometheus.sh
say "building the local cluster; the first time this takes about 12 minutes"
go -C hack/devcluster build -o "$devcluster" .
"$devcluster" build
if [ -z "$apps" ]; then
  say "running the tests of the local cluster itself"
  go -C hack/devcluster test -v -timeout 20m ./...
fi
say "starting a cluster"
cluster=$(mktemp -d)
"$devcluster" up --dir "$cluster"
export ASSENT_DEVCLUSTER="$cluster"
if [ -n "$apps" ]; then
  say "taking the applications in $apps through their versions and back"
  APPS="$apps" go test -v -count 1 -timeout 60m ./test/apps -ginkgo.v
  exit 0
fi
say "running on the cluster: $(echo "$suites" | tr '\n' ' ')"
# One package after the other: they share the cluster.
# shellcheck disable=SC2086
go test -v -p 1 -count 1 -timeout 30m $suites

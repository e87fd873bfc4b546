#!/bin/sh
# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs everything a change must pass: test.sh [unit]
# Or takes a folder of applications through their versions and back, and nothing else: test.sh apps FOLDER
#
# First the tests that need no cluster; then, on a cluster that it starts in a directory of its own and always stops, the suites: the packages
# whose tests use test/cluster. They find the cluster's directory in ASSENT_DEVCLUSTER. The longest of them, test/e2e, mostly waits: beside it run
# the tests of the local cluster itself, and the guard's on a cluster of their own. What they say is printed when they have ended.
set -eu
cd "$(dirname "$0")/.."
started=$(date +%s)
# Colours are for people who watch.
[ -t 1 ] || export GINKGO_NO_COLOR=TRUE
cluster=
beside=
lane=

say() {
  seconds=$(($(date +%s) - started))
  printf '\n==> %dm%02ds %s\n' $((seconds / 60)) $((seconds % 60)) "$1"
}

stop_cluster() {
  result=$?
  trap - EXIT
  if [ -n "$lane" ]; then
    say "waiting for the tests beside to end"
    join || result=1
  fi
  if [ -n "$beside" ]; then
    "$devcluster" down --dir "$beside" || result=1
    if [ $result = 0 ]; then rm -rf "$beside"; else echo "the logs of the cluster beside are kept in $beside"; fi
  fi
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

# The tests that run beside others, one after the other.
tests_beside() {
  go -C hack/devcluster test -v -timeout 20m ./... || return 1
  "$devcluster" up --dir "$beside" || return 1
  ASSENT_DEVCLUSTER="$beside" go test -v -count 1 -timeout 30m ./test/guard
}

# Waits for them, and prints what they have said.
join() {
  ended=0
  wait "$lane" || ended=$?
  lane=
  cat "$beside/tests.log"
  return $ended
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
say "starting a cluster"
cluster=$(mktemp -d)
"$devcluster" up --dir "$cluster"
export ASSENT_DEVCLUSTER="$cluster"
if [ -n "$apps" ]; then
  say "taking the applications in $apps through their versions and back"
  APPS="$apps" go test -v -count 1 -timeout 60m ./test/apps -ginkgo.v
  exit 0
fi

module=$(go list -m)
few=$(echo "$suites" | grep -vx -e "$module/test/e2e" -e "$module/test/guard")
say "running on the cluster: $(echo "$few" | tr '\n' ' ')"
# One package after the other: they share the cluster.
# shellcheck disable=SC2086
go test -v -p 1 -count 1 -timeout 30m $few
beside=$(mktemp -d)
say "running beside, for about four minutes: the tests of the local cluster itself, and test/guard"
tests_beside >"$beside/tests.log" 2>&1 &
lane=$!
say "running on the cluster: test/e2e, for about eleven minutes"
go test -v -count 1 -timeout 30m ./test/e2e
say "what the tests beside have said"
join

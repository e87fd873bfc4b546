#!/bin/sh
# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs everything a change must pass: test.sh [unit]
# Or takes a folder of applications through their versions and back, and nothing else: test.sh apps FOLDER
# Or tries every fault, every mutant of the guard and of the code, or all bad input there is: test.sh faults|mutation|badinput
#
# First the tests that need no cluster; then the suites: the packages whose tests use test/cluster. They run on clusters that are started in
# directories of their own and always stopped, and find them in ASSENT_DEVCLUSTER. The longest suite, test/e2e, mostly waits: it has a cluster
# for itself until it has ended, and then the dashboard has it; beside it the others run on another one, one after the other. What they say begins with a bar.
set -eu
cd "$(dirname "$0")/.."
started=$(date +%s)
# Colours are for people who watch.
[ -t 1 ] || export GINKGO_NO_COLOR=TRUE
work=
lane=

say() {
  seconds=$(($(date +%s) - started))
  printf '\n==> %dm%02ds %s\n' $((seconds / 60)) $((seconds % 60)) "$1"
}

# Starts a cluster of that name, and makes it the one that is found.
start_cluster() {
  "$devcluster" up --dir "$work/$1"
  export ASSENT_DEVCLUSTER="$work/$1"
}

stop_all() {
  result=$?
  trap - EXIT
  if [ -n "$lane" ]; then
    say "waiting for the test beside to end"
    touch "$work/stop"
    wait "$lane" || true
  fi
  # A suite that was ended by force leaves its second cluster behind.
  for cluster in "$work"/*/second "$work"/*; do
    if [ -n "$work" ] && [ -d "$cluster" ]; then
      say "stopping the cluster $(basename "$cluster")"
      "$devcluster" down --dir "$cluster" || result=1
    fi
  done
  if [ $result = 0 ]; then rm -rf "$work"; elif [ -n "$work" ]; then echo "the clusters' logs are kept in $work"; fi
  if [ $result = 0 ]; then say "all tests passed"; else say "FAILED"; fi
  exit $result
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Everything but test/e2e, one after the other: they share a cluster. What leaves thousands of objects behind comes last.
tests_beside() {
  start_cluster others || return 1
  for suite in $others; do
    [ ! -e "$work/stop" ] || return 1
    say "running ${suite#"$module/"}"
    go test -v -count 1 -timeout 20m "$suite" || return 1
  done
  say "running the tests of the local cluster itself"
  go -C hack/devcluster test -v -timeout 20m ./... || return 1
  say "taking some rules out of the code, and some out of the guard, to see that tests notice"
  go run ./hack/mutate code -sample=60 -seed=1 && go run ./hack/mutate policies --sample 8
}

what=${1:-}
apps=
if [ "$what" = apps ]; then
  apps=$(cd "${2:?"say which folder: make test-apps APPS=FOLDER"}" && pwd)
fi

if [ -z "$what" ] || [ "$what" = unit ]; then
  say "finding the shells that a test types into, and the browser that looks at the dashboard"
  sh hack/packages.sh bash bash-completion zsh fish chromium
  say "finding the tests"
  suites=$(go list -test -f '{{if .ForTest}}{{else}}{{$p := .ImportPath}}{{range .Deps}}{{if eq . "github.com/assent-dev/assent/test/cluster"}}{{$p}}{{end}}{{end}}{{end}}' ./... |
    sed -n 's/\.test$//p')
  pure=$(go list ./...)
  for suite in $suites; do
    pure=$(echo "$pure" | grep -vx "$suite")
  done
  say "running the tests that need no cluster; the first time, their dependencies are compiled, which takes minutes"
  # shellcheck disable=SC2086 # the lists are split on purpose
  go test -v -timeout 20m $pure
  [ -z "$what" ] || exit 0
  [ -n "$suites" ] || { echo "there is no suite that uses test/cluster" >&2; exit 1; }
fi

mkdir -p .build
devcluster=$PWD/.build/devcluster
say "finding Prometheus, which a test of checks starts"
sh hack/prometheus.sh
say "building the local cluster; the first time this takes about 12 minutes"
go -C hack/devcluster build -o "$devcluster" .
"$devcluster" build
work=$(mktemp -d)

case $what in
apps)
  start_cluster main
  say "taking the applications in $apps through their versions and back"
  APPS="$apps" go test -v -count 1 -timeout 60m ./test/apps -ginkgo.v
  exit 0
  ;;
faults)
  start_cluster main
  say "trying every fault at every write"
  FAULTS=all go test -v -count 1 -timeout 90m ./test/faults
  exit 0
  ;;
badinput)
  start_cluster main
  say "trying all the bad input there is"
  BADINPUT=all go test -v -count 1 -timeout 90m ./test/badinput
  exit 0
  ;;
mutation)
  start_cluster main
  say "taking each rule out of the code, and then out of the guard, to see that tests notice"
  go run ./hack/mutate code
  go run ./hack/mutate policies
  exit 0
  ;;
esac

module=$(go list -m)
# Those of the dashboard come after test/e2e, on its cluster: so both are done at about the same time.
after=$(echo "$suites" | grep "^$module/test/dashboard/")
others=$(echo "$suites" | grep -v "^$module/test/dashboard/" | grep -vx -e "$module/test/e2e" -e "$module/test/guard"; echo "$module/test/guard")
say "running test/e2e, for about ten minutes, and beside it, on another cluster: $(echo "$others" | tr '\n' ' ')"
{
  tests_beside && touch "$work/passed"
} 2>&1 | sed -u 's/^/| /' &
lane=$!
start_cluster main
go test -v -count 1 -timeout 30m ./test/e2e
for suite in $after; do
  say "running ${suite#"$module/"}"
  go test -v -count 1 -timeout 20m "$suite"
done
say "all that runs here has passed: waiting for the tests beside"
wait "$lane"
lane=
[ -e "$work/passed" ]

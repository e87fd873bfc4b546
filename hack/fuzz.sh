#!/bin/sh
# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs each fuzz target for a while, one after the other, and prints what each has found: fuzz.sh DURATION [TARGET…]
#
# It goes on after a finding, and fails at the end. A finding is written to testdata/fuzz beside its target: mend it, and commit the file, which is
# then tested for good. Each process may take 2 GiB of memory.
set -eu
cd "$(dirname "$0")/.."
duration=${1:?"say for how long: fuzz.sh 10m"}
shift
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# The soft limit lets the collector work harder first; the hard one ends what an input blows up.
export GOMEMLIMIT=1500MiB

git grep --untracked -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed -E 's|/[^/]*_test\.go:func | |' >"$logs/targets" || true
[ -s "$logs/targets" ] || { echo "there are no fuzz targets"; exit 0; }
if [ $# -gt 0 ]; then
  for name in "$@"; do grep -w "$name" "$logs/targets" || { echo "there is no fuzz target $name" >&2; exit 2; }; done >"$logs/chosen"
  mv "$logs/chosen" "$logs/targets"
fi
count=$(wc -l <"$logs/targets")

found=0 number=0
printf '%-60s %12s %12s %s\n' target executions new findings >"$logs/table"
while read -r folder name; do
  number=$((number + 1))
  echo "fuzzing $name in $folder for $duration ($number of $count)"
  finding=none
  log="$logs/$number.log"
  go test -c -fuzz="^$name\$" -o "$logs/test" "./$folder" || exit 1
  (
    cd "$folder"
    # A limit on the address space would count what Go reserves and never uses: this one counts what is written to.
    ulimit -d 2097152 2>/dev/null || true
    "$logs/test" -test.run='^$' -test.fuzz="^$name\$" -test.fuzztime="$duration" -test.fuzzcachedir="$(go env GOCACHE)/fuzz/$(go list -m)/$folder" 2>&1 || echo "FAILED"
  ) </dev/null | tee "$log"
  if grep -q '^FAILED' "$log"; then
    found=1
    finding=$(sed -n 's|.*Failing input written to \(testdata/fuzz/.*\)|\1|p' "$log" | tail -n 1)
    finding="$folder/${finding:-(see above)}"
  fi
  last=$(grep 'execs:' "$log" | tail -n 1)
  executions=$(echo "$last" | sed -n 's/.*execs: \([0-9]*\).*/\1/p')
  new=$(echo "$last" | sed -n 's/.*new interesting: \([0-9]*\).*/\1/p')
  printf '%-60s %12s %12s %s\n' "$folder $name" "${executions:-0}" "${new:-0}" "$finding" >>"$logs/table"
done <"$logs/targets"

echo
cat "$logs/table"
exit $found

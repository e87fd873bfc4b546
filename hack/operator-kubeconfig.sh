#!/bin/sh
# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Writes a kubeconfig for the current kubeconfig's cluster with the operator's own identity: operator-kubeconfig.sh FILE
# The identity is a token that is good for a day; it is in a file of its own beside the kubeconfig.
set -eu
kubectl=${KUBECTL:-kubectl}
umask 077
mkdir -p "$(dirname "$1")"
# Absolute, because what a kubeconfig names is relative to the kubeconfig.
file=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")

"$kubectl" create token assent-controller --namespace assent-system --duration 24h >"$file.token" || {
  echo "the operator's service account is not there: run make install first" >&2
  exit 1
}
# The cluster as it is known now, and none of the credentials of whoever runs this.
"$kubectl" config view --minify --flatten --raw >"$file.all"
user=$("$kubectl" --kubeconfig "$file.all" config view -o 'jsonpath={.users[0].name}')
mv "$file.all" "$file"
"$kubectl" --kubeconfig "$file" config delete-user "$user" >/dev/null
"$kubectl" --kubeconfig "$file" config set users.assent-controller.tokenFile "$file.token" >/dev/null
"$kubectl" --kubeconfig "$file" config set-context --current --user=assent-controller --namespace=assent-system >/dev/null
echo "running as $("$kubectl" --kubeconfig "$file" auth whoami -o 'jsonpath={.status.userInfo.username}')"

#!/bin/sh
# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Installs everything but the operator's Deployment into the current kubeconfig's cluster, or removes it: install.sh apply|delete
set -eu
cd "$(dirname "$0")/.."
kubectl=${KUBECTL:-kubectl}
action=$1

# answers WHAT COMMAND... waits until a command succeeds, at most a minute.
answers() {
  what=$1
  shift
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] || { echo "$what: not there after a minute" >&2; return 1; }
    [ $tries -gt 1 ] || echo "waiting: $what"
    sleep 1
  done
}

command -v "$kubectl" >/dev/null || { echo "kubectl is not there: install it, or start the local cluster with make cluster-up" >&2; exit 1; }
echo "cluster: $("$kubectl" config view --minify -o 'jsonpath={.clusters[0].cluster.server}')"
if "$kubectl" api-resources --api-group=admissionregistration.k8s.io --no-headers -o name | grep -q '^mutatingadmissionpolicies\.'; then
  stamping=yes
else
  stamping=no
  echo "this cluster is older than Kubernetes 1.36 and cannot stamp; the rules hold all the same"
fi

case $action in
apply)
  "$kubectl" apply -k config/install
  [ $stamping = no ] || "$kubectl" apply -k config/guard/stamping
  "$kubectl" wait --for=condition=Established --timeout=60s -f config/crd/assent.dev_promotions.yaml \
    -f config/crd/assent.dev_releases.yaml -f config/crd/assent.dev_environments.yaml -f config/crd/assent.dev_auditrecords.yaml
  answers "promotions to be served" "$kubectl" get promotions.assent.dev --all-namespaces
  ;;
delete)
  # The guard first: it lets nobody delete audit records, and deleting their CRD is deleting them.
  [ $stamping = no ] || "$kubectl" delete --ignore-not-found -k config/guard/stamping
  "$kubectl" delete --ignore-not-found -k config/guard
  "$kubectl" delete --ignore-not-found -k config/install
  ;;
*)
  echo "usage: install.sh apply|delete" >&2
  exit 2
  ;;
esac

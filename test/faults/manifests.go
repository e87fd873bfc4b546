// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// rule changes an Environment from its defaults: one approval by anyone who may.
type rule func(*v1alpha1.EnvironmentSpec)

func rollsBack(spec *v1alpha1.EnvironmentSpec) { spec.Rollout.OnFailure = v1alpha1.OnFailureRollback }

func configMap(name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {value: %q}", name, value)
}

func deployment(name, version string) string {
	return deploymentOn(name, version, "{}")
}

// stuckDeployment never becomes healthy: there is no node for it.
func stuckDeployment(name string) string {
	return deploymentOn(name, "stuck", "{nowhere: to-be-found}")
}

func deploymentOn(name, version, nodes string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: 1
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      nodeSelector: %[3]s
      containers: [{name: web, image: "registry.example/shop:%[2]s"}]`, name, version, nodes)
}

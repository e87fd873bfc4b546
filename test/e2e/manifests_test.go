// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"strings"
)

// manifests is one text of several objects.
func manifests(objects ...string) string {
	return strings.Join(objects, "\n---\n")
}

func configMap(name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {value: %q}", name, value)
}

// configMaps named cm-000 and so on, all with the same value.
func configMaps(count int, value string) []string {
	var all []string
	for i := range count {
		all = append(all, configMap(fmt.Sprintf("cm-%03d", i), value))
	}
	return all
}

// deployment whose pods become ready.
func deployment(name, image string) string {
	return deploymentOn(name, image, "{}")
}

// stuckDeployment waits for a node that is not there.
func stuckDeployment(name string) string {
	return deploymentOn(name, "registry.example/shop:stuck", "{nowhere: to-be-found}")
}

func deploymentOn(name, image, nodes string) string {
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
      containers: [{name: web, image: %[2]q}]`, name, image, nodes)
}

func service(name string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %[1]s}\nspec: {selector: {app: %[1]s}, ports: [{port: 80}]}", name)
}

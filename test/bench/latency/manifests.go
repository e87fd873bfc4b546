// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package latency

import (
	"fmt"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// version of what is rolled out: its text, and by how many objects it differs from the one before.
type version struct {
	// name of the case, and of the Release.
	name      string
	manifests string
	source    v1alpha1.ReleaseSource
	objects   int
}

// inline is a version whose manifests are in the Release itself.
func inline(name string, all []string) version {
	manifests := joined(all)
	return version{name: name, manifests: manifests, source: v1alpha1.ReleaseSource{Inline: manifests}, objects: len(all)}
}

// fifty are 25 ConfigMaps, and 25 Deployments without replicas. Value makes every one of them differ.
func fifty(name, value string) version {
	var all []string
	for i := range 25 {
		all = append(all, configMap(fmt.Sprintf("settings-%02d", i), value), deployment(fmt.Sprintf("web-%02d", i), value, 0))
	}
	return inline(name, all)
}

// ten are Deployments of one replica.
func ten(name, value string) version {
	var all []string
	for i := range 10 {
		all = append(all, deployment(fmt.Sprintf("web-%02d", i), value, 1))
	}
	return inline(name, all)
}

func joined(all []string) string {
	return strings.Join(all, "---\n")
}

func configMap(name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\ndata:\n  value: %q\n", name, value)
}

func deployment(name, value string, replicas int) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[1]s
spec:
  replicas: %[3]d
  selector:
    matchLabels: {app: %[1]s}
  template:
    metadata:
      labels: {app: %[1]s}
    spec:
      containers:
      - name: web
        image: registry.example/shop
        env: [{name: VALUE, value: %[2]q}]
`, name, value, replicas)
}

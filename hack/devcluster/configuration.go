// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// auditPolicy logs who did what, for every request; for writes of Assent's own kinds also what was written and what became of it, and of every deletion
// its options, since those alone say whether it is a dry run.
// Left out are only the heartbeats of the control plane itself: they would be most of the log, and say nothing.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  resources: [{group: coordination.k8s.io, resources: [leases]}]
  namespaces: [kube-system, kube-node-lease]
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*"]
- level: RequestResponse
  verbs: [create, update, patch, delete, deletecollection]
  resources: [{group: assent.dev}]
- level: Request
  verbs: [delete]
- level: Metadata
`

// configure writes everything that the components read: certificates, kubeconfigs, policies and the programs' links.
func configure(d directory, a addresses, b binaries) error {
	if err := d.create(); err != nil {
		return err
	}
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return writePKI(d, ca) },
		func() error { return writeKubeconfigs(d, a.apiServer(), ca) },
		func() error { return writeTokens(d) },
		func() error { return os.WriteFile(d.auditPolicy(), []byte(auditPolicy), 0o600) },
		func() error { return writeKwokConfig(d.kwokConfig(), b) },
		func() error { return linkBinaries(d, b) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("configuring the cluster: %w", err)
		}
	}
	return nil
}

func writePKI(d directory, ca *authority) error {
	if err := ca.write(d.path("pki"), "ca"); err != nil {
		return err
	}
	identity, err := ca.client(administrator.name, administrator.groups)
	if err != nil {
		return err
	}
	if err := identity.write(d.path("pki"), administrator.name); err != nil {
		return err
	}
	serving, err := ca.server()
	if err != nil {
		return err
	}
	if err := serving.write(d.path("pki"), "apiserver"); err != nil {
		return err
	}
	signing, err := newSigningKey()
	if err != nil {
		return err
	}
	return os.WriteFile(d.pki("service-accounts.key"), signing, 0o600)
}

func writeKubeconfigs(d directory, server string, ca *authority) error {
	if err := writeKubeconfig(d.kubeconfig(), server, ca, administrator); err != nil {
		return err
	}
	for _, u := range people() {
		if err := writeKubeconfig(d.usersKubeconfig(u), server, ca, u); err != nil {
			return err
		}
	}
	for _, u := range componentUsers() {
		if err := writeKubeconfig(d.componentKubeconfig(u.name), server, ca, u); err != nil {
			return err
		}
	}
	return nil
}

// writeKwokConfig joins kwok's stages into the one file that it reads.
func writeKwokConfig(path string, b binaries) error {
	var stages []string
	for _, file := range stageFiles() {
		content, err := os.ReadFile(filepath.Join(b.stages(), filepath.Base(file)))
		if err != nil {
			return err
		}
		stages = append(stages, string(content))
	}
	//nolint:gosec // the path is one of this program's own, below the directory that the user names
	return os.WriteFile(path, []byte(strings.Join(stages, "\n---\n")), 0o600)
}

// linkBinaries makes each program available by its own name, by which the control plane's binary knows what to be.
func linkBinaries(d directory, b binaries) error {
	for name, target := range map[string]string{
		"etcd":                    b.controlplane(),
		"kube-apiserver":          b.controlplane(),
		"kube-controller-manager": b.controlplane(),
		"kube-scheduler":          b.controlplane(),
		"kubectl":                 b.controlplane(),
		"kwok":                    b.kwok(),
	} {
		if err := os.Symlink(target, d.binary(name)); err != nil {
			return err
		}
	}
	return nil
}

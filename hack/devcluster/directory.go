// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// directory is where everything about one cluster is kept. Its paths are what users and tests rely on:
// `kubeconfig`, `users/NAME.kubeconfig`, `users/NAME.token`, `bin/kubectl`, `audit.log` and `logs/COMPONENT.log`.
type directory string

func (d directory) path(elements ...string) string {
	return filepath.Join(append([]string{string(d)}, elements...)...)
}

func (d directory) kubeconfig() string            { return d.path("kubeconfig") }
func (d directory) usersKubeconfig(u user) string { return d.path("users", u.name+".kubeconfig") }
func (d directory) usersToken(u user) string      { return d.path("users", u.name+".token") }
func (d directory) tokens() string                { return d.pki("tokens.csv") }
func (d directory) pki(name string) string        { return d.path("pki", name) }
func (d directory) binary(name string) string     { return d.path("bin", name) }
func (d directory) log(component string) string   { return d.path("logs", component+".log") }
func (d directory) auditLog() string              { return d.path("audit.log") }
func (d directory) auditPolicy() string           { return d.path("config", "audit-policy.yaml") }
func (d directory) kwokConfig() string            { return d.path("config", "kwok.yaml") }
func (d directory) etcdData() string              { return d.path("etcd") }
func (d directory) processes() string             { return d.path("processes.json") }
func (d directory) ready() string                 { return d.path("ready") } // there once the cluster was complete
func (d directory) lock() string                  { return d.path("lock") }

// componentKubeconfig is kept apart from the people's.
func (d directory) componentKubeconfig(name string) string {
	return d.path("config", name+".kubeconfig")
}

// create makes the folders of a new cluster.
func (d directory) create() error {
	for _, folder := range []string{"users", "pki", "bin", "logs", "config"} {
		if err := os.MkdirAll(d.path(folder), 0o750); err != nil {
			return fmt.Errorf("creating the cluster's directory: %w", err)
		}
	}
	return nil
}

// removeData removes what a stopped cluster has no use for. It removes by name what this program has made, never the
// directory itself, which may hold other things. Logs stay: they are read after a failure.
func (d directory) removeData() error {
	var failed []error
	for _, name := range []string{"users", "pki", "bin", "config", "etcd", "kubeconfig", "processes.json", "ready"} {
		failed = append(failed, os.RemoveAll(d.path(name)))
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("removing the cluster's data: %w", err)
	}
	return nil
}

// removeLogs removes the logs of the previous cluster.
func (d directory) removeLogs() error {
	if err := errors.Join(os.RemoveAll(d.path("logs")), os.RemoveAll(d.auditLog())); err != nil {
		return fmt.Errorf("removing the previous cluster's logs: %w", err)
	}
	return nil
}

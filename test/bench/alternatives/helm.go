// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/kube"
)

// release is the name of Helm's own Release.
const release = "shop"

// helm finds its directories in the environment, HELM_CACHE_HOME and so on. It installs or upgrades the chart, and waits until everything is ready.
func helm(t *task, _ *done) error {
	kube.ManagedFieldsManager = "helm" // as its own main does
	arguments := []string{"upgrade", release, t.path, "--install", "--wait", "--kubeconfig", t.kubeconfig, "--namespace", t.namespace}
	// Helm looks for its configuration among the process's own arguments.
	os.Args = append([]string{"helm"}, arguments...)
	command, err := cmd.NewRootCmd(t.output, arguments, cmd.SetupLogging)
	if err != nil {
		return err
	}
	command.SetArgs(arguments)
	command.SetOut(t.output)
	command.SetErr(t.output)
	return command.Execute()
}

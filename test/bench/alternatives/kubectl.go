// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/kubectl/pkg/cmd/apply"
	"k8s.io/kubectl/pkg/cmd/rollout"
	"k8s.io/kubectl/pkg/cmd/util"
)

// As kubectl's own main sets them.
const (
	discoveryBurst = 300
	discoveryQPS   = 50
)

// kubectl applies the manifests, and waits until all Deployments of the namespace are rolled out.
func kubectl(t *task, finished *done) error {
	// kubectl ends the process where it fails; here it has to say why.
	util.BehaviorOnFatal(func(message string, code int) { panic(fmt.Errorf("exit code %d: %s", code, message)) })
	if err := t.kubectl(apply.NewCmdApply, "--server-side", "--filename", t.path); err != nil {
		return err
	}
	finished.Written = time.Now()
	status := func(_ string, f util.Factory, streams genericiooptions.IOStreams) *cobra.Command {
		return rollout.NewCmdRolloutStatus(f, streams)
	}
	return t.kubectl(status, "deployments")
}

// kubectl runs one of its commands, each with everything anew, as a process would.
func (t *task) kubectl(command func(string, util.Factory, genericiooptions.IOStreams) *cobra.Command, arguments ...string) (err error) {
	defer func() {
		if fatal, is := recover().(error); is {
			err = fatal
		}
	}()
	flags := genericclioptions.NewConfigFlags(true).WithDiscoveryBurst(discoveryBurst).WithDiscoveryQPS(discoveryQPS)
	flags.KubeConfig, flags.Namespace, flags.CacheDir = &t.kubeconfig, &t.namespace, &t.cache
	streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: t.output, ErrOut: t.output}
	cmd := command("kubectl", util.NewFactory(util.NewMatchVersionFlags(flags)), streams)
	cmd.SetArgs(arguments)
	cmd.SetOut(t.output)
	cmd.SetErr(t.output)
	return cmd.Execute()
}

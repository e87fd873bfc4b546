// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// guardPatience is how long the admission policies may take to be in force. It is about a second on an idle machine.
const guardPatience = time.Minute

func (d *demo) operatorLog() string { return d.path("logs", "operator.log") }

// install installs CRDs, RBAC and the guard, and waits until the guard refuses what it has to refuse.
func (d *demo) install(ctx context.Context) error {
	err := d.during("Installing Assent: four kinds of objects, roles, and the admission policies that are its guard", func() error {
		_, err := d.execute(ctx, "", "sh", filepath.Join("hack", "install.sh"), "apply")
		return err
	})
	if err != nil {
		return fmt.Errorf("installing Assent: %w", err)
	}
	err = d.during("Waiting until the guard is in force", func() error { return await(ctx, guardPatience, d.probeGuard) })
	if err != nil {
		return fmt.Errorf("the guard is not in force: %w\nThe API server's log is %s", err, filepath.Join(d.shown, "logs", "kube-apiserver.log"))
	}
	return nil
}

const probe = `{"apiVersion": "assent.dev/v1alpha1", "kind": "Promotion", "metadata": {"name": "probe", "namespace": "default"},
 "spec": {"release": "probe", "environment": "probe", "approvals": [%s]}}`

// probeGuard asks for two Promotions as dry runs: the guard stamps the one with who asks, and refuses the other.
func (d *demo) probeGuard(ctx context.Context) error {
	create := []string{"create", "--dry-run=server", "-f", "-", "-o", "jsonpath={.spec.requestedBy.username}"}
	stamped, err := d.kubectl(ctx, fmt.Sprintf(probe, ""), create...)
	if err != nil {
		return err
	}
	if stamped == "" {
		return errors.New("`requestedBy` is not stamped yet")
	}
	output, err := d.kubectl(ctx, fmt.Sprintf(probe, `{"user": "nobody", "decision": "Approved"}`), create...)
	if err == nil || !strings.Contains(output, "(G2)") {
		return errors.New("a Promotion that is created with approvals is not refused yet")
	}
	return nil
}

// startOperator builds the operator, runs it as its own service account, and waits until it is ready.
func (d *demo) startOperator(ctx context.Context, fail context.CancelCauseFunc) error {
	binary := filepath.Join(d.root, ".build", "assent")
	err := d.during("Building the operator (the first time: a few minutes)", func() error {
		_, err := d.execute(ctx, "", "go", "build", "-o", binary, ".")
		return err
	})
	if err != nil {
		return fmt.Errorf("building the operator: %w", err)
	}
	kubeconfig := d.path("config", "operator.kubeconfig") // in a folder that goes with the cluster, as the cache
	if _, err := d.execute(ctx, "", "sh", filepath.Join("hack", "operator-kubeconfig.sh"), kubeconfig); err != nil {
		return fmt.Errorf("making the operator's kubeconfig: %w", err)
	}
	return d.during("Starting the operator as its own service account, which may neither approve nor deploy", func() error {
		return d.runOperator(ctx, fail, binary, kubeconfig)
	})
}

func (d *demo) runOperator(ctx context.Context, fail context.CancelCauseFunc, binary, kubeconfig string) error {
	log, err := os.Create(d.operatorLog())
	if err != nil {
		return fmt.Errorf("creating the operator's log: %w", err)
	}
	defer func() { _ = log.Close() }() // the operator has it open by itself
	probes, err := freeAddress()
	if err != nil {
		return err
	}
	// The lease makes an operator end that has lost its cluster, should the demo be killed.
	command := exec.Command(binary, "controller", "--kubeconfig="+kubeconfig, "--cache-dir="+d.path("config", "operator-cache"), "--leader-elect",
		"--health-probe-bind-address="+probes, "--metrics-bind-address=0", "--log-format=text")
	command.Dir = d.root
	operator, err := start("operator", command, log)
	if err != nil {
		return err
	}
	d.onStop(func() error { return operator.stop(stopGrace) })
	go func() {
		<-operator.ended
		fail(d.withOperatorLog(fmt.Errorf("the operator ended (%s) while the demo needed it", operator.command.ProcessState)))
	}()
	return await(ctx, time.Minute, func(ctx context.Context) error { return isReady(ctx, "http://"+probes+"/readyz") })
}

func isReady(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the operator answers %s", response.Status)
	}
	return nil
}

// freeAddress returns an address of this machine that nobody listens on now.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	address := listener.Addr().String()
	return address, listener.Close()
}

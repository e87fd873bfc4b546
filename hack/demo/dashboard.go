// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// visitors are those whose tokens the demo shows: who asks, and the two who decide.
var visitors = []struct{ name, does string }{
	{"bob", "asks for promotions"}, {"alice", "is an owner of the shop, and decides"}, {"carol", "is another owner: production needs both"},
}

// startDashboard runs the dashboard, which has no identity of its own: its kubeconfig says where the API server is, and names no user.
func (d *demo) startDashboard(ctx context.Context, fail context.CancelCauseFunc) error {
	return d.during("Starting the dashboard, which has no rights at all", func() error {
		address, err := freeAddress()
		if err != nil {
			return err
		}
		kubeconfig := d.path("config", "dashboard.kubeconfig")
		if err := d.writeAnonymous(ctx, kubeconfig); err != nil {
			return fmt.Errorf("writing the dashboard's kubeconfig: %w", err)
		}
		log, err := os.Create(d.path("logs", "dashboard.log"))
		if err != nil {
			return fmt.Errorf("creating the dashboard's log: %w", err)
		}
		defer func() { _ = log.Close() }() // the dashboard has it open by itself
		command := exec.Command(filepath.Join(d.root, ".build", "assent"), "dashboard", "--kubeconfig="+kubeconfig, "--bind-address="+address, "--sign-in=token", "--projects=shop",
			"--log-format=text")
		command.Dir = d.root
		dashboard, err := start("dashboard", command, log)
		if err != nil {
			return err
		}
		d.onStop(func() error { return dashboard.stop(stopGrace) })
		go func() {
			<-dashboard.ended
			fail(fmt.Errorf("the dashboard ended (%s) while the demo needed it: see %s", dashboard.command.ProcessState, filepath.Join(d.shown, "logs", "dashboard.log")))
		}()
		d.dashboard = "http://" + address
		return await(ctx, time.Minute, func(ctx context.Context) error { return isReady(ctx, d.dashboard+"/healthz") })
	})
}

// writeAnonymous writes a kubeconfig for the cluster without a user.
func (d *demo) writeAnonymous(ctx context.Context, path string) error {
	view, err := d.kubectl(ctx, "", "config", "view", "--raw", "-o",
		`jsonpath={"apiVersion: v1\nkind: Config\ncurrent-context: cluster\nclusters:\n- name: cluster\n  cluster:\n    server: "}{.clusters[0].cluster.server}{"\n    certificate-authority-data: "}{.clusters[0].cluster.certificate-authority-data}{"\ncontexts:\n- name: cluster\n  context: {cluster: cluster, user: nobody}\nusers:\n- name: nobody\n  user: {}\n"}`)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(view), 0o600)
}

// showDashboard says where it is, and what to sign in with.
func (d *demo) showDashboard() error {
	d.say("\n%sThe dashboard is at %s%s. Sign in by one of these tokens, each in a browser window of its own:\n", d.bold, d.dashboard, d.plain)
	for _, visitor := range visitors {
		token, err := os.ReadFile(d.path("users", visitor.name+".token"))
		if err != nil {
			return fmt.Errorf("reading the token of %s: %w", visitor.name, err)
		}
		d.say("  %-6s %s   %s", visitor.name, strings.TrimSpace(string(token)), visitor.does)
	}
	return nil
}

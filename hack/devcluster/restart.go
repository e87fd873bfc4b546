// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// restart ends one component of a running cluster and starts it again with the same arguments and data. It returns when the API server is ready
// again. Killed, the component does not get the time to finish what is under way. It is for clusters that were started with `up`: `run` stops the
// whole cluster when a component ends.
func (c *cluster) restart(ctx context.Context, name string, killed bool) error {
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	processes, err := readProcesses(c.dir.processes())
	if err != nil {
		return err
	}
	at := slices.IndexFunc(processes, func(p process) bool { return p.Name == name })
	if at < 0 {
		return fmt.Errorf("no component %q runs in %s: name one of %s", name, c.dir, strings.Join(namesOf(processes), ", "))
	}
	server, err := serverOf(processes)
	if err != nil {
		return err
	}
	api, err := newClient(c.dir, server)
	if err != nil {
		return err
	}
	began := time.Now()
	patience := grace
	if killed {
		patience = 0
	}
	if err := stop(ctx, processes[at:at+1], patience); err != nil {
		return err
	}
	again := newLaunch(c.dir)
	again.processes = slices.Delete(slices.Clone(processes), at, at+1)
	if err := again.start(component{name: name, arguments: processes[at].Arguments}); err != nil {
		return err
	}
	if err := again.await(ctx, "the API server", api.ready); err != nil {
		return err
	}
	c.say("%s was restarted in %.1f seconds.", name, time.Since(began).Seconds())
	return nil
}

func namesOf(processes []process) []string {
	names := make([]string, 0, len(processes))
	for _, p := range processes {
		names = append(names, p.Name)
	}
	return names
}

// serverOf finds where the API server listens.
func serverOf(processes []process) (string, error) {
	for _, p := range processes {
		for _, argument := range p.Arguments {
			if port, is := strings.CutPrefix(argument, "--secure-port="); is && p.Name == "kube-apiserver" {
				number, err := strconv.Atoi(port)
				return addresses{apiServerPort: number}.apiServer(), err
			}
		}
	}
	return "", errors.New("the cluster's API server is not known: stop the cluster with `down` and start it with `up`")
}

// openLog of a component, at its end: what it said before it was restarted stays.
func (d directory) openLog(name string) (*os.File, error) {
	return os.OpenFile(d.log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

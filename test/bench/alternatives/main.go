// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Command alternatives is what one would use instead of Assent to bring the same objects to a cluster: `kubectl apply --server-side`, and then
// `kubectl rollout status`; or `helm upgrade --install --wait`. They are the real commands, as libraries, at the versions in go.mod.
//
//	alternatives kubectl --kubeconfig FILE --namespace NAME --cache DIR MANIFESTS
//	alternatives helm    --kubeconfig FILE --namespace NAME --cache DIR CHART
//
// It says `{}` when it could begin, begins when a line comes in, and ends with a line of JSON that says how long it took: that leaves out what it takes to start
// a process, which has nothing to do with the matter.
//
// It is a module of its own, because Helm brings along databases and a WebAssembly runtime, which nothing of Assent needs.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

// task is what is to be done, the same way for each alternative.
type task struct {
	kubeconfig, namespace, cache, path string
	// output of the command, for when it fails.
	output *bytes.Buffer
}

// done says when.
type done struct {
	// Began is when the command was given, Written when all objects were, as far as the command tells, and Ready when it knew them to be ready.
	Began   time.Time `json:"began"`
	Written time.Time `json:"written,omitzero"`
	Ready   time.Time `json:"ready"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "alternatives: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("say which: kubectl or helm")
	}
	t := task{output: &bytes.Buffer{}}
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	flags.StringVar(&t.kubeconfig, "kubeconfig", "", "whom to connect as")
	flags.StringVar(&t.namespace, "namespace", "", "where to")
	flags.StringVar(&t.cache, "cache", "", "what is kept from one command to the next")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	t.path = flags.Arg(0)
	commands := map[string]func(*task, *done) error{"kubectl": kubectl, "helm": helm}
	command := commands[arguments[0]]
	if command == nil || t.path == "" {
		return fmt.Errorf("say which, kubectl or helm, and what to apply; not %q", arguments)
	}
	fmt.Println("{}")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return fmt.Errorf("waiting for the word to begin: %w", err)
	}
	finished := done{Began: time.Now()}
	if err := command(&t, &finished); err != nil {
		return fmt.Errorf("%s: %w: %s", arguments[0], err, t.output)
	}
	finished.Ready = time.Now()
	return json.NewEncoder(os.Stdout).Encode(finished)
}

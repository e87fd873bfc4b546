// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package latency

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/assent-dev/assent/test/bench/scene"
	"github.com/assent-dev/assent/test/cluster"
)

// Timeline prints each request that the operator made of one promotion from its approval on: of 50 objects, and of 10 Deployments, when that creates them and when
// it updates them. Between them is what Kubernetes' controllers made of the Deployments, which the promotion waits for.
func Timeline(ctx context.Context, s *scene.Scene, out io.Writer) error {
	a := &assent{s}
	for _, warm := range []bool{true, false} {
		place, err := a.place(ctx)
		if err != nil {
			return err
		}
		for _, v := range []version{fifty("creating-50", "one"), fifty("updating-50", "two"), ten("creating-10", "one"), ten("updating-10", "two")} {
			asked, log, err := a.promote(ctx, place, v)
			if err != nil {
				return err
			}
			if warm {
				continue
			}
			began, err := approvedAt(log, asked)
			if err != nil {
				return err
			}
			requests, err := log.Answered(func(r cluster.Request) bool {
				own, ready := r.ByOperator() && r.Verb != "watch", r.ObjectRef.Resource == "deployments" && r.ObjectRef.Subresource == "status"
				return (own || ready) && r.Done.After(began)
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "\n%s: milliseconds from when the approval was answered\n", v.name)
			draw(out, began, requests)
		}
	}
	return nil
}

// draw the requests in the order of their answers. Of those of one kind that follow each other, there is one line.
func draw(out io.Writer, began time.Time, requests []cluster.Request) {
	fmt.Fprintf(out, "%9s %9s %8s %8s\n", "from", "to", "took", "idle")
	answered := began
	for i := 0; i < len(requests); {
		last, from, to := i, requests[i].Received, requests[i].Done
		for last+1 < len(requests) && kindOf(requests[last+1]) == kindOf(requests[i]) {
			last++
			if requests[last].Received.Before(from) {
				from = requests[last].Received
			}
			to = requests[last].Done
		}
		idle := "" // how long before it no request was under way
		if gap := from.Sub(answered); gap > 0 {
			idle = fmt.Sprintf("%8.1f", milliseconds(gap))
		}
		what := requests[i].ObjectRef.Name
		if count := last - i + 1; count > 1 {
			what = fmt.Sprintf("%d of them", count)
		}
		fmt.Fprintf(out, "%9.1f %9.1f %8.1f %8s  %s %s\n", milliseconds(from.Sub(began)), milliseconds(to.Sub(began)), milliseconds(to.Sub(from)), idle, kindOf(requests[i]), what)
		if to.After(answered) {
			answered = to
		}
		i = last + 1
	}
}

// kindOf a request: who, what and where, but not which object.
func kindOf(r cluster.Request) string {
	who := "others"
	switch {
	case r.ImpersonatedUser.Username != "":
		who = "deployer"
	case r.ByOperator():
		who = "operator"
	}
	resource := strings.TrimSuffix(r.ObjectRef.Resource+"/"+r.ObjectRef.Subresource, "/")
	note := ""
	if r.ResponseStatus.Code >= 300 {
		note = fmt.Sprintf(" (%d)", r.ResponseStatus.Code)
	}
	if strings.Contains(r.RequestURI, "dryRun") {
		note += " (dry run)"
	}
	return fmt.Sprintf("%s %-6s %s%s", who, r.Verb, resource, note)
}

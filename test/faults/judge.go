// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/assent-dev/assent/test/cluster"
	"github.com/assent-dev/assent/test/oracle"
)

// settling is how long the target may take to be as it is without the fault, once the history says that all is done: the cluster's own controllers
// work there too.
const settling = 15 * time.Second

// judge a run that is at rest, by what the operator cannot write: the API server's audit log and the final objects.
func (r *Run) judge(ctx context.Context, undisturbed map[string]any) (map[string]any, []violation, error) {
	evidence, err := r.collect(ctx, undisturbed)
	if err != nil {
		return nil, nil, err
	}
	seen, err := r.world.look(ctx, r.project.Name)
	if err != nil {
		return nil, nil, err
	}
	broken := r.kept(seen)
	for _, found := range evidence.Violations() {
		broken = append(broken, violation{Rule: string(found.Rule), Detail: found.Detail})
	}
	content := evidence.Content()
	if undisturbed != nil && !equality.Semantic.DeepEqual(content, undisturbed) {
		broken = append(broken, violation{Rule: "content", Detail: "there is " + asJSON(content) + ", and without the fault " + asJSON(undisturbed)})
	}
	return content, broken, nil
}

// collect what is judged, as soon as the target is as it is without the fault, or will not be.
func (r *Run) collect(ctx context.Context, undisturbed map[string]any) (*oracle.Evidence, error) {
	limited, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	scene := oracle.Scene{
		Project: r.project.Name, Targets: []string{r.target.Namespace}, Rights: r.project.Rights(), AtRest: true, Lossy: r.lossy, Exceptions: r.exceptions,
	}
	for {
		evidence, err := oracle.Collect(ctx, r.world.as(cluster.Admin), r.requests, scene)
		if err != nil || undisturbed == nil || equality.Semantic.DeepEqual(evidence.Content(), undisturbed) {
			return evidence, err
		}
		if after(limited, 10*again) != nil {
			return evidence, nil
		}
	}
}

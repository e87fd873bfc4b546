// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package latency

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/bench/measure"
	"github.com/assent-dev/assent/test/bench/scene"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// Guarded approvals are admitted by the guard and stamped; unguarded ones by nobody.
	guarded   measure.Contender = "with the guard"
	unguarded measure.Contender = "without the guard"
	// approvals of each batch that count, and those before it that do not.
	approvals, unmeasured = 200, 40
)

// guard is B7: what the API server takes to answer an approval, with and without the guard and its stamping. The operator sleeps.
func guard(ctx context.Context, s *scene.Scene, runs int) (results []measure.Result, err error) {
	asked, err := toApprove(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := s.Operator.Pause(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Operator.Resume()) }()
	batch := func(prepare func(context.Context, *scene.Scene) error) func(context.Context, int) (measure.Values, error) {
		return func(ctx context.Context, _ int) (measure.Values, error) {
			if err := errors.Join(prepare(ctx, s), s.Rest(ctx)); err != nil {
				return nil, err
			}
			taken, err := approveRepeatedly(ctx, s, asked)
			return measure.Values{"median": measure.Quantile(taken, 0.5), "99th percentile": measure.Quantile(taken, 0.99)}, err
		}
	}
	measured, err := measure.Interleave(ctx, runs, func(line string) { s.Say("  %s", line) },
		measure.Contestant{Contender: guarded, Measure: batch(putGuard)}, measure.Contestant{Contender: unguarded, Measure: batch(takeGuard)})
	for _, name := range []string{"median", "99th percentile"} {
		results = append(results, measure.Result{
			Benchmark: "B7", Case: name, What: fmt.Sprintf("answering an approval, of %d in a row", approvals), Unit: measure.Milliseconds, Series: measured[name],
		})
	}
	return results, errors.Join(err, putGuard(ctx, s))
}

// toApprove is a Promotion that waits for approval.
func toApprove(ctx context.Context, s *scene.Scene) (*v1alpha1.Promotion, error) {
	place, err := s.Place(ctx)
	if err != nil {
		return nil, err
	}
	return place.Ask(ctx, "creating", ten("creating", "one").source)
}

// approveRepeatedly approves and withdraws in turn, and returns what each approval took the API server, in milliseconds.
func approveRepeatedly(ctx context.Context, s *scene.Scene, asked *v1alpha1.Promotion) ([]float64, error) {
	approval, err := json.Marshal(map[string]any{"spec": map[string]any{"approvals": []v1alpha1.Approval{{
		User: cluster.Alice, Decision: v1alpha1.DecisionApproved, PlanDigest: asked.Status.Plan.Digest, Groups: []string{"shop-owners", "system:authenticated"},
	}}}})
	if err != nil {
		return nil, err
	}
	alice := s.As(cluster.Alice)
	var log *cluster.RequestLog
	for i := range unmeasured + approvals {
		if i == unmeasured {
			if log, err = s.Cluster.Requests(); err != nil {
				return nil, err
			}
		}
		for _, patch := range [][]byte{approval, []byte(`{"spec":{"approvals":[]}}`)} {
			if err := alice.Patch(ctx, asked.DeepCopy(), client.RawPatch(types.MergePatchType, patch)); err != nil {
				return nil, fmt.Errorf("approving again and again: %w", err)
			}
		}
	}
	patches, err := log.Answered(func(r cluster.Request) bool {
		return r.User.Username == cluster.Alice && r.Verb == "patch" && r.ObjectRef.Name == asked.Name && r.ObjectRef.Namespace == asked.Namespace
	})
	if err != nil {
		return nil, err
	}
	if len(patches) != 2*approvals {
		return nil, fmt.Errorf("the audit log has %d approvals and withdrawals, and %d were made", len(patches), 2*approvals)
	}
	var taken []float64
	for pair := range slices.Chunk(patches, 2) {
		taken = append(taken, milliseconds(pair[0].Done.Sub(pair[0].Received)))
	}
	return taken, nil
}

var guardDirectories = []string{"config/guard", "config/guard/stamping"}

// putGuard installs the guard, and waits until it is in force.
func putGuard(ctx context.Context, s *scene.Scene) error {
	for _, directory := range guardDirectories {
		if err := s.Cluster.Apply(ctx, directory); err != nil {
			return err
		}
	}
	return s.Cluster.WaitForGuard(ctx)
}

// takeGuard removes it, and waits until neither the guard nor its stamping is in force.
func takeGuard(ctx context.Context, s *scene.Scene) error {
	admin := s.As(cluster.Admin)
	for _, directory := range guardDirectories {
		objects, err := cluster.Build(directory)
		if err != nil {
			return err
		}
		for i := range objects {
			if err := client.IgnoreNotFound(admin.Delete(ctx, &objects[i])); err != nil {
				return fmt.Errorf("removing the guard: %w", err)
			}
		}
	}
	return scene.Await(ctx, "the guard is gone", func(ctx context.Context) (bool, error) {
		promotion := cluster.NewPromotion("default", "probe", "probe", "probe")
		promotion.Spec.Approvals = []v1alpha1.Approval{{User: "nobody", Decision: v1alpha1.DecisionApproved, PlanDigest: noDigest}}
		err := admin.Create(ctx, promotion, client.DryRunAll)
		if apierrors.IsForbidden(err) {
			return false, nil
		}
		return err == nil && promotion.Spec.RequestedBy.Username == "", err
	})
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package floor

import (
	"context"
	"encoding/json"
	"fmt"
)

// applied is what the floor has to know of an answer: which generation is to become ready.
type applied struct {
	Kind     string   `json:"kind"`
	Metadata metadata `json:"metadata"`
}

type metadata struct {
	Name       string `json:"name"`
	Generation int64  `json:"generation"`
}

// deployment, as far as its readiness goes.
type deployment struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		Replicas int32 `json:"replicas"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration int64 `json:"observedGeneration"`
		Replicas           int32 `json:"replicas"`
		UpdatedReplicas    int32 `json:"updatedReplicas"`
		AvailableReplicas  int32 `json:"availableReplicas"`
	} `json:"status"`
}

// ready says whether all replicas are of that generation and available, and no others are left.
func (d deployment) ready(generation int64) bool {
	return d.Status.ObservedGeneration >= generation && d.Status.UpdatedReplicas == d.Spec.Replicas &&
		d.Status.Replicas == d.Spec.Replicas && d.Status.AvailableReplicas == d.Spec.Replicas
}

// awaitReady watches until each Deployment that was written is ready.
func (f *floor) awaitReady(ctx context.Context, job *Job, written []applied) error {
	unready := map[string]int64{}
	for _, object := range written {
		if object.Kind == "Deployment" {
			unready[object.Metadata.Name] = object.Metadata.Generation
		}
	}
	events, err := f.watch(ctx, "/apis/apps/v1/namespaces/"+job.Deployments+"/deployments", job)
	if err != nil {
		return err
	}
	defer func() { _ = events.Close() }()
	for decoder := json.NewDecoder(events); len(unready) > 0; {
		var event struct {
			Object deployment `json:"object"`
		}
		if err := decoder.Decode(&event); err != nil {
			return fmt.Errorf("watching deployments: %w", err)
		}
		if generation, waits := unready[event.Object.Metadata.Name]; waits && event.Object.ready(generation) {
			delete(unready, event.Object.Metadata.Name)
		}
	}
	return nil
}

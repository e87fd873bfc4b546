// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// inWave puts an object of a release into a wave.
func inWave(wave int, object string) string {
	return strings.Replace(object, "metadata: {", fmt.Sprintf("metadata: {annotations: {assent.dev/wave: %q}, ", fmt.Sprint(wave)), 1)
}

// migration is a Job that runs to its end.
func migration(name, image string) string {
	return fmt.Sprintf("apiVersion: batch/v1\nkind: Job\nmetadata: {name: %s}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: %q}]}}}", name, image)
}

var _ = Describe("a release in waves", func() {
	It("applies a wave when the one before it is healthy, and its jobs are complete", func(ctx context.Context) {
		p := newPlace(ctx)
		requests := scene.requests()
		asked := p.approved(ctx, "one", inWave(-1, migration("migrate", "registry.example/shop:1")), configMap("settings", "1"), inWave(7, deployment("web", "registry.example/shop:1")))
		await(ctx, asked, v1alpha1.ReasonSucceeded)
		Expect(asked.Status.Progress).To(And(HaveField("Wave", int32(3)), HaveField("Waves", int32(3)), HaveField("Total", HaveValue(Equal(int32(3))))))
		written, err := requests.Answered(func(r cluster.Request) bool {
			return r.Changes() && r.ImpersonatedUser.Username != "" && r.ObjectRef.Namespace == p.target.Namespace
		})
		Expect(err).NotTo(HaveOccurred())
		var order []string
		for _, request := range written {
			order = append(order, request.ObjectRef.Resource)
		}
		Expect(order).To(Equal([]string{"jobs", "configmaps", "deployments"}))
		completed, err := requests.Answered(func(r cluster.Request) bool {
			return r.Changes() && r.ObjectRef.Namespace == p.target.Namespace && r.ObjectRef.Resource == "jobs" && r.ObjectRef.Subresource == "status"
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(completed).NotTo(BeEmpty())
		Expect(written[1].Received).To(BeTemporally(">", completed[len(completed)-1].Received), "the job must be complete before the next wave begins")
	})

	It("runs a job anew whose image has changed, and shows that it is created again", func(ctx context.Context) {
		p := newPlace(ctx)
		p.promoted(ctx, "one", migration("migrate", "registry.example/shop:1"))
		before := p.find(ctx, &v1alpha1.ObjectReference{Group: "batch", Kind: "Job", Name: "migrate"})
		asked := p.planned(ctx, "two", migration("migrate", "registry.example/shop:2"))
		Expect(actions(asked.Status.Plan.Changes)).To(ConsistOf("Recreate Job/migrate"))
		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonSucceeded)
		Expect(p.find(ctx, &v1alpha1.ObjectReference{Group: "batch", Kind: "Job", Name: "migrate"}).GetUID()).NotTo(Equal(before.GetUID()))
	})

	It("stops at a wave that does not become healthy", func(ctx context.Context) {
		p := newPlace(ctx, timeout(2))
		asked := p.approved(ctx, "one", stuckDeployment("web"), inWave(1, configMap("late", "1")))
		await(ctx, asked, v1alpha1.ReasonFailed)
		p.expectGone(ctx, &v1alpha1.ObjectReference{Kind: "ConfigMap", Name: "late"})
	})
})

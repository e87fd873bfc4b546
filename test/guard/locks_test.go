// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"encoding/json"
	"slices"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	. "github.com/onsi/ginkgo/v2"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// patchOf writes to a subresource that has something else to say than the object.
func patchOf(name, subresource string, kind types.PatchType, patch any) way {
	return way{name, func(ctx context.Context, c client.Client, before, _ *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		content, err := json.Marshal(patch)
		if err != nil {
			return nil, err
		}
		return nil, c.SubResource(subresource).Patch(ctx, before.DeepCopy(), client.RawPatch(kind, content))
	}}
}

func fields(pairs ...any) map[string]any {
	built := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		built[pairs[i].(string)] = pairs[i+1]
	}
	return built
}

var (
	scaleUpdate = way{"update of /scale", func(ctx context.Context, c client.Client, before, _ *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		scale := &unstructured.Unstructured{}
		scale.SetAPIVersion("autoscaling/v1")
		scale.SetKind("Scale")
		scale.SetName(before.GetName())
		scale.SetNamespace(before.GetNamespace())
		scale.Object["spec"] = fields("replicas", int64(2))
		return nil, c.SubResource("scale").Update(ctx, before.DeepCopy(), client.WithSubResourceBody(scale))
	}}
	scaleApply = way{"server-side apply of /scale", func(ctx context.Context, c client.Client, before, _ *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		patch, err := json.Marshal(fields("apiVersion", "autoscaling/v1", "kind", "Scale", "metadata", fields("name", before.GetName()), "spec", fields("replicas", 2)))
		if err != nil {
			return nil, err
		}
		return nil, c.SubResource("scale").Patch(ctx, before.DeepCopy(), client.RawPatch(types.ApplyPatchType, patch),
			client.FieldOwner(attacker), client.ForceOwnership)
	}}
	scales = []way{
		scaleUpdate,
		patchOf("merge patch of /scale", "scale", types.MergePatchType, fields("spec", fields("replicas", 2))),
		patchOf("JSON patch of /scale", "scale", types.JSONPatchType, []any{fields("op", "add", "path", "/spec/replicas", "value", 2)}),
		scaleApply,
	}
	debug = patchOf("ephemeral container", "ephemeralcontainers", types.StrategicMergePatchType, fields("spec", fields("ephemeralContainers",
		[]any{fields("name", "debug", "image", "evil:1")})))
	resize = patchOf("resize", "resize", types.StrategicMergePatchType, fields("spec", fields("containers",
		[]any{fields("name", "web", "resources", fields("requests", fields("cpu", "20m")))})))

	// What people do all day.
	anotherImage = func(path ...string) func(*unstructured.Unstructured) {
		return set([]any{fields("name", "web", "image", "web:2")}, append(path, "spec", "containers")...)
	}
	restart    = set("now", "spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")
	bothWays   = set([]any{"Ingress", "Egress"}, "spec", "policyTypes")
	annotation = set("there", "metadata", "annotations", "mine")
	unlock     = unset("metadata", "labels", v1alpha1.LabelLock)
	lock       = set(production, "metadata", "labels", v1alpha1.LabelLock)
	relock     = set(staging, "metadata", "labels", v1alpha1.LabelLock)
	image      = func(pod *unstructured.Unstructured) {
		containers, _, _ := unstructured.NestedSlice(pod.Object, "spec", "containers")
		containers[0].(map[string]any)["image"] = "web:2"
		Expect(unstructured.SetNestedSlice(pod.Object, containers, "spec", "containers")).To(Succeed())
	}
)

func toRival(object *unstructured.Unstructured) {
	labels := object.GetLabels()
	labels[v1alpha1.LabelProject] = scene.rival.Name
	object.SetLabels(labels)
}

// The namespace comes last: the guard of targets does, and the suite waits for what it has put back last.
var locks = []attack{
	{"G15", "a user changes what is locked", cluster.Mallory, lockedPolicy, bothWays, changes, false},
	{"G15", "a user annotates what is locked", cluster.Mallory, lockedPolicy, annotation, changes, false},
	{"G15", "a user gives what is locked a finalizer", cluster.Mallory, lockedPolicy, finalizer, changes[:3], false},
	{"G15", "a user gives what is locked an owner that is not there, so that it is collected", cluster.Mallory, lockedPolicy, owner, changes[:3], false},
	{"G15", "a user takes the lock away", cluster.Mallory, lockedPolicy, unlock, changes, false},
	{"G15", "a user deletes what is locked", cluster.Mallory, lockedPolicy, nil, deletions, false},
	{"G15", "a user rolls another image out", cluster.Mallory, lockedDeployment, anotherImage("spec", "template"), patches, false},
	{"G15", "a user restarts a workload", cluster.Mallory, lockedDeployment, restart, patches, false},
	{"G15", "a user changes replicas", cluster.Mallory, lockedDeployment, set(int64(2), "spec", "replicas"), patches, false},
	{"G15", "a user deletes a workload", cluster.Mallory, lockedDeployment, nil, deletions, false},
	{"G15", "a user changes a replica set's template", cluster.Mallory, lockedReplicaSet, anotherImage("spec", "template"), patches, false},
	{"G15", "a user takes the lock of a replica set away through its status", cluster.Mallory, lockedReplicaSet, unlock, statuses[1:3], false},
	{"G15", "a user gives a replica set an owner through its status", cluster.Mallory, lockedReplicaSet, owner, statuses[1:3], false},
	{"G15", "a user annotates a replica set through its status", cluster.Mallory, lockedReplicaSet, annotation, statuses[1:3], false},
	{"G15", "a user gives a replica set a finalizer through its status", cluster.Mallory, lockedReplicaSet, finalizer, statuses[1:3], false},
	{"G15", "a user changes a pod's image", cluster.Mallory, lockedPod, image, []way{update, jsonPatch, mergePatch}, false},
	{"G15", "a user puts a container into a pod", cluster.Mallory, lockedPod, nil, []way{debug}, false},
	{"G15", "a user resizes a pod", cluster.Mallory, lockedPod, nil, []way{resize}, false},
	{"G15", "a user deletes a pod that no controller makes again", cluster.Mallory, lockedPod, nil, []way{remove}, false},

	{"G15", "a user deletes what a controller has made and is no pod", cluster.Mallory, controlledPolicy, nil, []way{remove}, false},
	{"G15", "a user deletes a map that a controller has made", cluster.Mallory, controlledMap, nil, []way{remove}, false},
	{"G15", "a user changes a pod that a controller makes again", cluster.Mallory, controlledPod, image, patches[:2], false},
	{"G15", "a user deletes what is only called like a pod", cluster.Mallory, calledPod, nil, []way{remove}, false},
	{"G15", "an account of something else in kube-system changes what is locked", inKubeSystem, lockedPolicy, bothWays, changes, false},
	{"G15", "a user in the group of the nodes changes what is locked", amongNodes, lockedPolicy, bothWays, changes, false},
	{"G15", "a rollout for two promotions changes what is locked", rolloutOfTwo, lockedPolicy, bothWays, changes, false},
	{"G15", "a controller from elsewhere annotates a workload", accountElsewhere, lockedDeployment, annotation, patches, false},
	{"G15", "a user changes what a controller has made", cluster.Mallory, controlledPolicy, bothWays, changes, false},

	{"G15", "a user creates an object with the lock", cluster.Mallory, newPolicy, nil, creations, false},
	{"G15", "a user locks an object of their own", cluster.Mallory, unlockedPolicy, lock, changes, false},
	{"G15", "who may override in another Environment changes what is locked", cluster.Carol, lockedPolicy, bothWays, changes, false},
	{"G15", "who may override in another Environment relabels", cluster.Carol, lockedPolicy, relock, changes, false},
	{"G15", "who may override in another project changes what is locked", overridesElsewhere, lockedPolicy, bothWays, changes, false},
	{"G15", "who may override in another project relabels", overridesElsewhere, lockedPolicy, toRival, changes, false},
	{"G15", "who impersonates the deployer changes what is locked", asDeployer, lockedPolicy, bothWays, changes, false},
	{"G15", "who impersonates the deployer creates an object with the lock", asDeployer, newPolicy, nil, creations, false},
	{"G15", "who impersonates the deployer deletes what is locked", asDeployer, lockedPolicy, nil, deletions[:1], false},
	{"G15", "a rollout of another project changes what is locked", rolloutOfAnother, lockedPolicy, bothWays, changes, false},
	{"G15", "a rollout of another project makes it its own", rolloutOfAnother, lockedPolicy, toRival, changes, false},
	{"G15", "a rollout of another project locks an object", rolloutOfAnother, newPolicy, toRival, creations, false},
	{"G15", "a rollout locks an object in the name of another project", rollout, newPolicy, toRival, creations, false},
	{"G15", "a rollout of another project changes a pod", rolloutOfAnother, lockedPod, image, patches[:2], false},
	{"G15", "an account that is called like a controller changes what is locked", namedLikeOne, lockedPolicy, bothWays, changes, false},
	{"G15", "a user who is called like a node changes a pod", namedLikeANode, lockedPod, image, patches[:2], false},

	{"G15", "a controller from elsewhere changes what is locked", accountElsewhere, lockedPolicy, bothWays, changes, false},
	{"G15", "a controller from elsewhere annotates a kind of Kubernetes' own", accountElsewhere, lockedPolicy, annotation, changes, false},
	{"G15", "a controller from elsewhere changes a kind of its own", accountElsewhere, lockedWidget, set("large", "spec", "size"), changes, false},
	{"G15", "a controller from elsewhere adds a field to a kind of its own", accountElsewhere, lockedWidget, set("more", "extra"), patches[:2], false},
	{"G15", "a controller from elsewhere takes a field away from a kind of its own", accountElsewhere, lockedWidget, unset("rules"), patches[:2], false},
	{"G15", "a controller from elsewhere relabels a kind of its own", accountElsewhere, lockedWidget, label, changes, false},
	{"G15", "a controller from elsewhere gives a kind of its own an owner", accountElsewhere, lockedWidget, owner, changes[:3], false},
	{"G15", "a controller from elsewhere deletes a kind of its own", accountElsewhere, lockedWidget, nil, deletions[:1], false},
	{"G15", "an account of the namespace annotates a kind of others", localAccount, lockedWidget, annotation, changes, false},
	{"G15", "a user annotates a kind of others", cluster.Mallory, lockedWidget, annotation, changes, false},

	{"G15", "a user labels what is locked in no namespace", cluster.Mallory, lockedRole, label, changes, false},
	{"G15", "a user deletes what is locked in no namespace", cluster.Mallory, lockedRole, nil, deletions[:1], false},
	{"G15", "who may override in another project relabels what is in no namespace", overridesElsewhere, lockedRole, toRival, changes, false},
	{"G15", "a rollout of another project makes its own what is in no namespace", rolloutOfAnother, lockedRole, toRival, changes, false},
	{"G15", "a user creates an object with the lock in no namespace", cluster.Mallory, newRole, nil, creations, false},

	{"G16", "a user scales what is locked", cluster.Mallory, lockedDeployment, nil, scales, false},
	{"G16", "a user scales a replica set", cluster.Mallory, lockedReplicaSet, nil, scales[:2], false},
	{"G16", "who impersonates the deployer scales", asDeployer, lockedDeployment, nil, scales[:2], false},
	{"G16", "a rollout of another project scales", rolloutOfAnother, lockedDeployment, nil, scales[:2], false},
	{"G16", "who may override in one Environment scales", cluster.Carol, lockedDeployment, nil, scales[:2], false},
	{"G16", "an account that is called like a controller scales", namedLikeOne, lockedDeployment, nil, scales[:2], false},
	{"G16", "an account of something else in kube-system scales", inKubeSystem, lockedDeployment, nil, scales[:2], false},
	{"G16", "a rollout for two promotions scales", rolloutOfTwo, lockedDeployment, nil, scales[:2], false},
	{"G16", "a user sets an autoscaler up", cluster.Mallory, newAutoscaler, nil, creations, false},
	{"G16", "a user changes an autoscaler", cluster.Mallory, anAutoscaler, set(int64(9), "spec", "maxReplicas"), patches, false},

	{"G17", "a user deletes a locked namespace", cluster.Mallory, lockedNamespace, nil, []way{remove}, false},
	{"G17", "a user gives a namespace to another project", cluster.Mallory, lockedNamespace, toLock("other"),
		slices.Concat(patches, statuses[1:3], []way{finalize}), false},
	{"G17", "who may override in another project takes a namespace over", overridesElsewhere, lockedNamespace,
		func(namespace *unstructured.Unstructured) { toLock(scene.rival.Name)(namespace) }, patches, false},
	{"G17", "a user leaves no project", cluster.Mallory, lockedNamespace, toLock(""), patches, false},
	{"G17", "who may override in one Environment unlocks the namespace of all", cluster.Carol, lockedNamespace, unlock, patches[:2], false},
	{"G17", "a user unlocks a namespace", cluster.Mallory, lockedNamespace, unlock, slices.Concat(patches[:2], statuses[1:3]), false},
}

func toLock(project string) func(*unstructured.Unstructured) {
	return set(project, "metadata", "labels", v1alpha1.LabelLock)
}

var _ = Describe("what nobody but the operator can claim", func() {
	It("is to write for a promotion: who may impersonate the deployer may not claim one", func(ctx context.Context) {
		config, err := scene.cluster.Config(cluster.Mallory)
		Expect(err).NotTo(HaveOccurred())
		config.Impersonate.UserName = "system:serviceaccount:" + scene.locked.Namespace + ":" + scene.locked.ServiceAccountName
		config.Impersonate.Extra = map[string][]string{v1alpha1.ExtraPromotion: {scene.project.Name + "/to-production/4711"}}
		forger, err := client.New(config, client.Options{Scheme: scene.cluster.Scheme(), Mapper: scene.as(cluster.Admin).RESTMapper()})
		Expect(err).NotTo(HaveOccurred())
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: unique("map"), Namespace: scene.locked.Namespace}}
		err = forger.Create(ctx, object)
		Expect(apierrors.IsForbidden(err)).To(BeTrue())
		Expect(err).To(MatchError(ContainSubstring("userextras/assent.dev/promotion")))
	})
})

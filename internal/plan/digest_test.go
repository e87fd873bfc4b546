// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// object is one object in YAML.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	content := &unstructured.Unstructured{}
	json, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = content.UnmarshalJSON(json)
	}
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return content
}

// objects are some objects in YAML, parted by "---".
func objects(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for _, part := range strings.Split(text, "\n---\n") {
		all = append(all, object(t, part))
	}
	return all
}

const twoObjects = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {colour: blue, größe: "10"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {replicas: 3, minReadySeconds: 0}
`

func testInputs() v1alpha1.PlanInputs {
	digest := func(c string) v1alpha1.Digest { return v1alpha1.Digest("sha256:" + strings.Repeat(c, 64)) }
	return v1alpha1.PlanInputs{
		Release: v1alpha1.ObjectIdentity{Name: "shop-1.4.0", UID: "r"}, ReleaseDigest: digest("1"),
		Environment: v1alpha1.ObjectIdentity{Name: "production", UID: "e"}, EnvironmentDigest: digest("2"), GuardDigest: digest("3"),
	}
}

// These digests are in the history of every Environment: a change that alters them voids every approval that is waiting.
func TestDigestsStayTheSameFromVersionToVersion(t *testing.T) {
	g := NewWithT(t)
	rendered, err := plan.RenderedDigest(objects(t, twoObjects))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(rendered).To(BeEquivalentTo(goldenRendered))

	digest, err := plan.Digest("7d0a", testInputs(), rendered, v1alpha1.Fallback{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(digest).To(BeEquivalentTo(goldenPlan))

	environment, err := plan.EnvironmentDigest(v1alpha1.EnvironmentSpec{Application: "shop", Target: v1alpha1.Target{Namespace: "shop", ServiceAccountName: "deployer"}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(environment).To(BeEquivalentTo(goldenEnvironment))
}

func TestRenderedDigestIsTheSameHoweverTheManifestsAreWritten(t *testing.T) {
	g := NewWithT(t)
	one, err := plan.RenderedDigest(objects(t, twoObjects))
	g.Expect(err).NotTo(HaveOccurred())
	other, err := plan.RenderedDigest(objects(t, `
kind: ConfigMap
apiVersion: v1
data:
  "größe": '10'
  # a comment
  colour: "blue"
metadata:
  namespace: shop
  name: settings
---
{"kind": "Deployment", "apiVersion": "apps/v1", "spec": {"minReadySeconds": 0, "replicas": 3}, "metadata": {"namespace": "shop", "name": "web"}}
`))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(other).To(Equal(one))
}

func TestRenderedDigestChangesWithTheContentAndTheOrder(t *testing.T) {
	g := NewWithT(t)
	one, _ := plan.RenderedDigest(objects(t, twoObjects))
	swapped := objects(t, twoObjects)
	swapped[0], swapped[1] = swapped[1], swapped[0]
	for name, changed := range map[string][]*unstructured.Unstructured{
		"a value":        objects(t, strings.Replace(twoObjects, "blue", "green", 1)),
		"a value's type": objects(t, strings.Replace(twoObjects, `"10"`, "10", 1)),
		"an object less": objects(t, twoObjects)[:1],
		"the order":      swapped,
	} {
		other, err := plan.RenderedDigest(changed)
		g.Expect(err).NotTo(HaveOccurred(), name)
		g.Expect(other).NotTo(Equal(one), name)
	}
}

func TestRenderedDigestRefusesNumbersThatWouldShareADigest(t *testing.T) {
	g := NewWithT(t)
	for _, number := range []string{"9007199254740992", "9007199254740993", "-9007199254740993"} {
		_, err := plan.RenderedDigest(objects(t, strings.Replace(twoObjects, "replicas: 3", "replicas: "+number, 1)))
		g.Expect(err).To(MatchError(ContainSubstring("`spec.replicas`")), number)
	}
	_, err := plan.RenderedDigest(objects(t, strings.Replace(twoObjects, "replicas: 3", "replicas: 9007199254740991", 1)))
	g.Expect(err).NotTo(HaveOccurred())
}

func TestPlanDigestCoversEveryInputButWhatRunsNow(t *testing.T) {
	g := NewWithT(t)
	rendered := v1alpha1.Digest("sha256:" + strings.Repeat("4", 64))
	one, err := plan.Digest("7d0a", testInputs(), rendered, v1alpha1.Fallback{})
	g.Expect(err).NotTo(HaveOccurred())

	deployed := testInputs()
	deployed.Deployed = "sha256:" + v1alpha1.Digest(strings.Repeat("5", 64))
	deployed.DriftDigest = "sha256:" + v1alpha1.Digest(strings.Repeat("6", 64))
	same, err := plan.Digest("7d0a", deployed, rendered, v1alpha1.Fallback{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(same).To(Equal(one), "an approval must stand when something else ran meanwhile")

	for name, change := range map[string]func(*v1alpha1.PlanInputs){
		"release name":       func(i *v1alpha1.PlanInputs) { i.Release.Name = "x" },
		"release UID":        func(i *v1alpha1.PlanInputs) { i.Release.UID = "x" },
		"release digest":     func(i *v1alpha1.PlanInputs) { i.ReleaseDigest = "x" },
		"environment name":   func(i *v1alpha1.PlanInputs) { i.Environment.Name = "x" },
		"environment UID":    func(i *v1alpha1.PlanInputs) { i.Environment.UID = "x" },
		"environment digest": func(i *v1alpha1.PlanInputs) { i.EnvironmentDigest = "x" },
		"guard digest":       func(i *v1alpha1.PlanInputs) { i.GuardDigest = "x" },
		"values digest":      func(i *v1alpha1.PlanInputs) { i.ValuesDigest = "x" },
		"cluster digest":     func(i *v1alpha1.PlanInputs) { i.ClusterDigest = "x" },
	} {
		inputs := testInputs()
		change(&inputs)
		other, err := plan.Digest("7d0a", inputs, rendered, v1alpha1.Fallback{})
		g.Expect(err).NotTo(HaveOccurred(), name)
		g.Expect(other).NotTo(Equal(one), name)
	}
	other, _ := plan.Digest("another", testInputs(), rendered, v1alpha1.Fallback{})
	g.Expect(other).NotTo(Equal(one), "promotion")
	other, _ = plan.Digest("7d0a", testInputs(), "sha256:"+v1alpha1.Digest(strings.Repeat("6", 64)), v1alpha1.Fallback{})
	g.Expect(other).NotTo(Equal(one), "rendered objects")
}

func TestPlanDigestCoversWhatAFailureGoesBackTo(t *testing.T) {
	g := NewWithT(t)
	rendered := v1alpha1.Digest("sha256:" + strings.Repeat("4", 64))
	seen := map[v1alpha1.Digest]string{}
	for name, change := range map[string]func(*v1alpha1.Fallback){
		"nothing":         func(f *v1alpha1.Fallback) { *f = v1alpha1.Fallback{} },
		"a release":       func(*v1alpha1.Fallback) {},
		"its name":        func(f *v1alpha1.Fallback) { f.Release.Name = "x" },
		"its UID":         func(f *v1alpha1.Fallback) { f.Release.UID = "x" },
		"its version":     func(f *v1alpha1.Fallback) { f.Version = "x" },
		"its content":     func(f *v1alpha1.Fallback) { f.ReleaseDigest = "x" },
		"how it rendered": func(f *v1alpha1.Fallback) { f.RenderedDigest = "x" },
	} {
		fallback := v1alpha1.Fallback{Release: v1alpha1.ObjectIdentity{Name: "shop-1.3.0", UID: "r"}, Version: "1.3.0", ReleaseDigest: rendered, RenderedDigest: rendered}
		change(&fallback)
		digest, err := plan.Digest("7d0a", testInputs(), rendered, fallback)
		g.Expect(err).NotTo(HaveOccurred(), name)
		g.Expect(seen).NotTo(HaveKey(digest), "%s", name)
		seen[digest] = name
	}
}

// An Environment's rules are what people approve under: whatever decides what runs, where, and who says so has to void approvals.
func TestEnvironmentDigestCoversEveryRule(t *testing.T) {
	g := NewWithT(t)
	spec := func() v1alpha1.EnvironmentSpec {
		return v1alpha1.EnvironmentSpec{Application: "shop", Target: v1alpha1.Target{Namespace: "shop", ServiceAccountName: "deployer"}}
	}
	seen := map[v1alpha1.Digest]string{}
	for name, change := range map[string]func(*v1alpha1.EnvironmentSpec){
		"as it is":         func(*v1alpha1.EnvironmentSpec) {},
		"application":      func(s *v1alpha1.EnvironmentSpec) { s.Application = "x" },
		"target namespace": func(s *v1alpha1.EnvironmentSpec) { s.Target.Namespace = "x" },
		"target cluster":   func(s *v1alpha1.EnvironmentSpec) { s.Target.Cluster.Kubeconfig.Name = "x" },
		"signatures":       func(s *v1alpha1.EnvironmentSpec) { s.Signatures.Signers = []v1alpha1.Signer{{Name: "ci"}} },
		"overlay":          func(s *v1alpha1.EnvironmentSpec) { s.Overlay.Labels = map[string]string{"a": "b"} },
		"lock":             func(s *v1alpha1.EnvironmentSpec) { s.Lock = v1alpha1.LockEnabled },
		"checks":           func(s *v1alpha1.EnvironmentSpec) { s.Checks = []v1alpha1.Check{{Name: "smoke"}} },
		"the phase of one": func(s *v1alpha1.EnvironmentSpec) {
			s.Checks = []v1alpha1.Check{{Name: "smoke", Phase: v1alpha1.CheckAfter}}
		},
		"on failure": func(s *v1alpha1.EnvironmentSpec) { s.Rollout.OnFailure = v1alpha1.OnFailureRollback },
		"cluster-scoped": func(s *v1alpha1.EnvironmentSpec) {
			s.Rollout.ClusterScopedKinds = []v1alpha1.GroupKind{{Kind: "Namespace"}}
		},
		"approval": func(s *v1alpha1.EnvironmentSpec) { s.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "owners"}} },
	} {
		changed := spec()
		change(&changed)
		digest, err := plan.EnvironmentDigest(changed)
		g.Expect(err).NotTo(HaveOccurred(), name)
		g.Expect(seen).NotTo(HaveKey(digest), name)
		seen[digest] = name
	}
	stopped := spec()
	stopped.Hold.Reason = "incident"
	stopped.AutoPromotion.Versions = ">=1.0.0"
	digest, err := plan.EnvironmentDigest(stopped)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen).To(HaveKeyWithValue(digest, "as it is"), "an emergency stop must not void approvals")
}

const (
	goldenRendered    = "sha256:33d91cd0f945e15d7e1b76390ee3a17edfa9b2829e117ceaf8bb3455aec67479"
	goldenPlan        = "sha256:56205a84be1a8b0a80e721227300f57c40995fe384032d72258a83391a67165f"
	goldenEnvironment = "sha256:2bf2e23f978b229126eb92462ea4a21942edf19ea6044de7eba187fee8fc2494"
)

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"flag"
	"io"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/assent-dev/assent/internal/dashboard"
)

func TestTheDashboardHasNoRightsAtAll(t *testing.T) {
	g := NewWithT(t)
	objects := render(t, "dashboard")
	account := the[*corev1.ServiceAccount](t, objects)
	deployment := the[*appsv1.Deployment](t, objects)
	g.Expect(deployment.Spec.Template.Spec.ServiceAccountName).To(Equal(account.Name))
	g.Expect(account.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
	g.Expect(deployment.Spec.Template.Spec.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
	for _, volume := range deployment.Spec.Template.Spec.Volumes {
		g.Expect(volume.Projected).To(BeNil(), "a token could be in it")
	}
	g.Expect(all[*rbacv1.RoleBinding](objects)).To(BeEmpty())
	g.Expect(all[*rbacv1.ClusterRoleBinding](objects)).To(BeEmpty())
	for _, binding := range all[*rbacv1.ClusterRoleBinding](render(t, "default")) {
		for _, subject := range binding.Subjects {
			g.Expect(subject.Name).NotTo(Equal(account.Name), binding.Name)
		}
	}
	kubeconfig := the[*corev1.ConfigMap](t, objects).Data["kubeconfig"]
	g.Expect(kubeconfig).To(ContainSubstring("user: {}"), "nobody is named in it")
	g.Expect(kubeconfig).NotTo(MatchRegexp(`(token|client-certificate|client-key|exec|password)[A-Za-z-]*:`))
}

func TestTheDashboardsArgumentsAreTheBinarysFlags(t *testing.T) {
	g := NewWithT(t)
	deployment := the[*appsv1.Deployment](t, render(t, "dashboard"))
	g.Expect(deployment.Spec.Template.Spec.Containers).To(HaveLen(1))
	container := deployment.Spec.Template.Spec.Containers[0]
	g.Expect(container.Args[0]).To(Equal("dashboard"), "the binary's command")
	flags := flag.NewFlagSet("dashboard", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.String("kubeconfig", "", "")
	var parsed dashboard.Options
	parsed.BindFlags(flags)
	g.Expect(flags.Parse(append(container.Args[1:], "--external-url=https://assent.example.com"))).To(Succeed())
	g.Expect(parsed.Validate()).To(Succeed())
	for _, probe := range []*corev1.Probe{container.LivenessProbe, container.ReadinessProbe} {
		g.Expect(portOf(g, container, probe.HTTPGet.Port)).To(Equal(portIn(g, parsed.Address)))
	}
}

func TestTheDashboardRunsWherePodsAreRestricted(t *testing.T) {
	g := NewWithT(t)
	deployment := the[*appsv1.Deployment](t, render(t, "dashboard"))
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	g.Expect(err).NotTo(HaveOccurred())
	pod := deployment.Spec.Template
	for _, result := range evaluator.EvaluatePod(psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}, &pod.ObjectMeta, &pod.Spec) {
		g.Expect(result.Allowed).To(BeTrue(), result.ForbiddenDetail)
	}
	g.Expect(pod.Spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem).To(HaveValue(BeTrue()))
}

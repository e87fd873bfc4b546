// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"flag"
	"io"
	"net"
	"strconv"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/controllers"
)

// options are the Deployment's arguments as the binary itself understands them.
func options(t *testing.T, container corev1.Container) controllers.Options {
	t.Helper()
	g := NewWithT(t)
	g.Expect(container.Args).NotTo(BeEmpty())
	g.Expect(container.Args[0]).To(Equal("controller"), "the binary's command")
	flags := flag.NewFlagSet("controller", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var parsed controllers.Options
	parsed.BindFlags(flags)
	g.Expect(flags.Parse(container.Args[1:])).To(Succeed())
	g.Expect(flags.Args()).To(BeEmpty(), "arguments that are no flags")
	g.Expect(parsed.Validate()).To(Succeed())
	return parsed
}

// operator is the Deployment and its one container.
func operator(t *testing.T) (*appsv1.Deployment, corev1.Container) {
	t.Helper()
	deployment := the[*appsv1.Deployment](t, render(t, "default"))
	NewWithT(t).Expect(deployment.Spec.Template.Spec.Containers).To(HaveLen(1))
	return deployment, deployment.Spec.Template.Spec.Containers[0]
}

func TestTheDeploymentsArgumentsAreTheBinarysFlags(t *testing.T) {
	g := NewWithT(t)
	deployment, container := operator(t)
	parsed := options(t, container)
	g.Expect(parsed.LeaderElect).To(BeTrue(), "there are two replicas")
	g.Expect(parsed.LeaderElectionNamespace).To(Equal(deployment.Namespace))
	g.Expect(parsed.LogFormat).To(Equal("json"))
}

func TestProbesAndMetricsGoToThePortsThatTheFlagsName(t *testing.T) {
	g := NewWithT(t)
	_, container := operator(t)
	parsed := options(t, container)
	for name, probe := range map[string]*corev1.Probe{"/healthz": container.LivenessProbe, "/readyz": container.ReadinessProbe} {
		g.Expect(probe).NotTo(BeNil(), name)
		g.Expect(probe.HTTPGet.Path).To(Equal(name))
		g.Expect(portOf(g, container, probe.HTTPGet.Port)).To(Equal(portIn(g, parsed.ProbeAddress)))
	}
	service := the[*corev1.Service](t, render(t, "default"))
	g.Expect(service.Spec.Ports).To(HaveLen(1))
	g.Expect(portOf(g, container, service.Spec.Ports[0].TargetPort)).To(Equal(portIn(g, parsed.MetricsAddress)))
}

func TestTheRootFilesystemIsReadOnlyAndWhatIsWrittenGoesToVolumes(t *testing.T) {
	g := NewWithT(t)
	deployment, container := operator(t)
	g.Expect(container.SecurityContext.ReadOnlyRootFilesystem).To(HaveValue(BeTrue()))
	mounts := map[string]string{}
	for _, mount := range container.VolumeMounts {
		mounts[mount.MountPath] = mount.Name
	}
	for _, path := range []string{options(t, container).CacheDir, "/tmp"} {
		g.Expect(mounts).To(HaveKey(path))
		g.Expect(deployment.Spec.Template.Spec.Volumes).To(ContainElement(
			And(HaveField("Name", mounts[path]), HaveField("EmptyDir.SizeLimit", Not(BeNil())))))
	}
}

func TestThePodsMeetTheRestrictedPodSecurityStandard(t *testing.T) {
	g := NewWithT(t)
	deployment, _ := operator(t)
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	g.Expect(err).NotTo(HaveOccurred())
	level := psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}
	pod := deployment.Spec.Template
	for _, result := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
		g.Expect(result.Allowed).To(BeTrue(), "%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
	}
	g.Expect(pod.Spec.SecurityContext.RunAsUser).To(HaveValue(BeNumerically(">", 0)))
}

func TestTheOperatorRunsAsTheServiceAccountThatTheGuardKnows(t *testing.T) {
	deployment, _ := operator(t)
	NewWithT(t).Expect("system:serviceaccount:" + deployment.Namespace + ":" + deployment.Spec.Template.Spec.ServiceAccountName).
		To(Equal(v1alpha1.ControllerUsername))
}

func TestTwoReplicasAreSpreadBoundedAndKeptWhileNodesAreDrained(t *testing.T) {
	g := NewWithT(t)
	deployment, container := operator(t)
	objects := render(t, "default")
	g.Expect(deployment.Spec.Replicas).To(HaveValue(BeEquivalentTo(2)))
	for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		g.Expect(container.Resources.Requests).To(HaveKey(resource))
		g.Expect(container.Resources.Limits).To(HaveKey(resource))
	}
	g.Expect(deployment.Spec.Template.Spec.PriorityClassName).To(Equal(the[*schedulingv1.PriorityClass](t, objects).Name))
	budget := the[*policyv1.PodDisruptionBudget](t, objects)
	g.Expect(budget.Spec.MinAvailable).To(HaveValue(Equal(intstr.FromInt32(1))))
	expectPods(g, deployment, budget.Spec.Selector)
	for _, constraint := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
		expectPods(g, deployment, constraint.LabelSelector)
	}
}

func TestTheNetworkLetsInMetricsAndNothingElseAndOutToNamesTheAPIServerAndRegistries(t *testing.T) {
	g := NewWithT(t)
	deployment, container := operator(t)
	network := the[*networkingv1.NetworkPolicy](t, render(t, "default"))
	expectPods(g, deployment, &network.Spec.PodSelector)
	g.Expect(network.Spec.PolicyTypes).To(ConsistOf(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress))
	g.Expect(network.Spec.Ingress).To(HaveLen(1))
	g.Expect(network.Spec.Ingress[0].Ports).To(HaveLen(1))
	g.Expect(portOf(g, container, *network.Spec.Ingress[0].Ports[0].Port)).To(Equal(portIn(g, options(t, container).MetricsAddress)))
	var out []int
	for _, rule := range network.Spec.Egress {
		g.Expect(rule.Ports).NotTo(BeEmpty(), "a rule without ports lets everything out")
		for _, port := range rule.Ports {
			out = append(out, port.Port.IntValue())
		}
	}
	g.Expect(out).To(ConsistOf(53, 53, 443, 6443, 5000))
}

// expectPods says that a selector selects the operator's pods.
func expectPods(g *WithT, deployment *appsv1.Deployment, selector *metav1.LabelSelector) {
	pods, err := metav1.LabelSelectorAsSelector(selector)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(pods.Empty()).To(BeFalse())
	g.Expect(pods.Matches(labels.Set(deployment.Spec.Template.Labels))).To(BeTrue())
}

// portOf is the number of a container's port that is given by name or number.
func portOf(g *WithT, container corev1.Container, port intstr.IntOrString) int {
	for _, declared := range container.Ports {
		if declared.Name == port.StrVal || declared.ContainerPort == port.IntVal {
			return int(declared.ContainerPort)
		}
	}
	g.Expect(port).To(BeNil(), "the container has no such port")
	return 0
}

// portIn is the port of an address such as ":8080".
func portIn(g *WithT, address string) int {
	_, port, err := net.SplitHostPort(address)
	g.Expect(err).NotTo(HaveOccurred())
	number, err := strconv.Atoi(port)
	g.Expect(err).NotTo(HaveOccurred())
	return number
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/check"
	"github.com/assent-dev/assent/test/cluster"
)

// patience with a busy machine.
const patience = time.Minute

var createJobs = rbacv1.PolicyRule{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"create"}}

// unscheduled is a Job whose pod nobody runs: the test says how it ends.
var unscheduled = strings.Replace(jobTemplate, "restartPolicy: Never", "restartPolicy: Never\n      schedulerName: nobody", 1)

func newCheckedProject(ctx context.Context) string {
	project := newProject(ctx)
	allow(ctx, project, "create-jobs", withChecker(ctx, project), createJobs)
	return project
}

// run is tried until the rights that were just given are in force.
func run(ctx context.Context, asked v1alpha1.Check, project, attempt string) check.Finding {
	GinkgoHelper()
	var finding check.Finding
	Eventually(func() string {
		finding = newJobs().Run(ctx, asked, subject(project), attempt)
		return finding.Message
	}).WithContext(ctx).WithTimeout(patience).ShouldNot(Or(ContainSubstring("may not create Jobs"), ContainSubstring("may not act as")))
	return finding
}

// start runs a check meanwhile.
func start(ctx context.Context, asked v1alpha1.Check, project, attempt string) <-chan check.Finding {
	ended := make(chan check.Finding, 1)
	go func() {
		defer GinkgoRecover()
		ended <- run(ctx, asked, project, attempt)
	}()
	return ended
}

// theJob of a project, once it is there.
func theJob(ctx context.Context, project string) *batchv1.Job {
	GinkgoHelper()
	var list batchv1.JobList
	Eventually(func() ([]batchv1.Job, error) {
		err := admin.List(ctx, &list, client.InNamespace(project))
		return list.Items, err
	}).WithContext(ctx).WithTimeout(patience).Should(HaveLen(1))
	return &list.Items[0]
}

// endPod writes the status of the Job's pod, as a kubelet would.
func endPod(ctx context.Context, project string, status corev1.PodStatus) {
	GinkgoHelper()
	var list corev1.PodList
	Eventually(func() ([]corev1.Pod, error) {
		err := admin.List(ctx, &list, client.InNamespace(project))
		return list.Items, err
	}).WithContext(ctx).WithTimeout(patience).Should(HaveLen(1))
	pod := list.Items[0]
	pod.Status = status
	Expect(admin.Status().Update(ctx, &pod)).To(Succeed())
}

var _ = Describe("A check that runs a Job", func() {
	It("passes when the Job has completed", func(ctx context.Context) {
		project := newCheckedProject(ctx)
		finding := run(ctx, running(jobTemplate), project, "1")
		job := theJob(ctx, project)
		Expect(finding).To(Equal(check.Finding{Result: v1alpha1.CheckPassed, Message: fmt.Sprintf("Job %q has completed", job.Name)}))
	})

	It("creates exactly the template, with a name, labels and bounds, as the project's checker and for the promotion", func(ctx context.Context) {
		project := newCheckedProject(ctx)
		requests, err := devcluster.Requests()
		Expect(err).NotTo(HaveOccurred())
		asked := running(jobTemplate)
		asked.Name = strings.Repeat("a", 63)
		Expect(run(ctx, asked, project, "1").Result).To(Equal(v1alpha1.CheckPassed))
		job := theJob(ctx, project)
		Expect(len(job.Name)).To(BeNumerically("<=", 63))
		Expect(job.Name).To(HavePrefix("check-aaa"))
		Expect(job.Labels).To(Equal(map[string]string{
			"team": "web", check.LabelCheck: asked.Name, v1alpha1.LabelPromotionUID: "7d0a", v1alpha1.LabelEnvironment: "production",
		}))
		Expect(job.Annotations).To(HaveKey(check.AnnotationTemplateHash))
		Expect(job.Spec.ActiveDeadlineSeconds).To(HaveValue(Equal(int64(30))))
		Expect(job.Spec.BackoffLimit).To(HaveValue(Equal(int32(0))))
		Expect(job.Spec.TTLSecondsAfterFinished).To(HaveValue(Equal(int32(86400))))
		Expect(job.OwnerReferences).To(BeEmpty())
		Expect(job.Spec.Template.Spec.Containers).To(HaveLen(1))

		Eventually(func() ([]string, error) {
			created, err := requests.Answered(func(r cluster.Request) bool {
				return r.Verb == "create" && r.ObjectRef.Resource == "jobs" && r.ObjectRef.Namespace == project && r.ResponseStatus.Code == 201
			})
			var by []string
			for _, request := range created {
				by = append(by, fmt.Sprintf("%s as %s for %v", request.User.Username, request.ImpersonatedUser.Username, request.ImpersonatedUser.Extra[v1alpha1.ExtraPromotion]))
			}
			return by, err
		}).WithContext(ctx).WithTimeout(patience).Should(ConsistOf(fmt.Sprintf(
			"%s as system:serviceaccount:%s:assent-checker for [%s/to-production/7d0a]", v1alpha1.ControllerUsername, project, project)))
	})

	It("keeps what the template says about its bounds, but for a longer time", func(ctx context.Context) {
		project := newCheckedProject(ctx)
		Expect(run(ctx, running(with("activeDeadlineSeconds: 7000\n  backoffLimit: 2\n  ttlSecondsAfterFinished: 600")), project, "1").Result).
			To(Equal(v1alpha1.CheckPassed))
		job := theJob(ctx, project)
		Expect(job.Spec.ActiveDeadlineSeconds).To(HaveValue(Equal(int64(30))))
		Expect(job.Spec.BackoffLimit).To(HaveValue(Equal(int32(2))))
		Expect(job.Spec.TTLSecondsAfterFinished).To(HaveValue(Equal(int32(600))))
	})

	It("goes on with the Job of the same attempt, and creates another for another attempt", func(ctx context.Context) {
		project := newCheckedProject(ctx)
		first := run(ctx, running(jobTemplate), project, "1")
		Expect(run(ctx, running(jobTemplate), project, "1")).To(Equal(first))
		theJob(ctx, project)
		second := run(ctx, running(jobTemplate), project, "2")
		Expect(second.Result).To(Equal(v1alpha1.CheckPassed))
		Expect(second.Message).NotTo(Equal(first.Message))
	})

	It("trusts no Job that somebody else has put there, even with the same labels and annotations", func(ctx context.Context) {
		project := newCheckedProject(ctx)
		Expect(run(ctx, running(jobTemplate), project, "1").Result).To(Equal(v1alpha1.CheckPassed))
		job := theJob(ctx, project)
		Expect(admin.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
		Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(job), &batchv1.Job{}) }).WithContext(ctx).WithTimeout(patience).ShouldNot(Succeed())

		forged := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: job.Name, Namespace: project, Labels: job.Labels, Annotations: job.Annotations}}
		forged.Spec.ActiveDeadlineSeconds, forged.Spec.BackoffLimit, forged.Spec.TTLSecondsAfterFinished = ptr.To(int64(30)), ptr.To(int32(0)), ptr.To(int32(86400))
		forged.Spec.Template.Spec = corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "smoke", Image: "registry/true"}}}
		Expect(admin.Create(ctx, forged)).To(Succeed())
		Expect(run(ctx, running(jobTemplate), project, "1")).To(Equal(check.Finding{Result: v1alpha1.CheckFailed, Message: fmt.Sprintf(
			"Job %q exists and is not what this check runs: somebody else has created or changed it; delete it, and let the checks run again", job.Name)}))
	})

	It("says why the Job has failed, down to the pod", func(ctx context.Context) {
		project := newCheckedProject(ctx)
		ended := start(ctx, running(unscheduled), project, "1")
		job := theJob(ctx, project)
		endPod(ctx, project, corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{{
			Name: "smoke", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error", Message: "2 of 40 tests failed"}},
		}}})
		var finding check.Finding
		Eventually(ended).WithContext(ctx).WithTimeout(patience).Should(Receive(&finding))
		Expect(finding.Result).To(Equal(v1alpha1.CheckFailed))
		Expect(finding.Retry).To(BeTrue())
		Expect(finding.Message).To(MatchRegexp(`^Job "%s" has failed: BackoffLimitExceeded: .*; pod %s-\w+: container "smoke" has ended with exit code 3: Error: 2 of 40 tests failed$`, job.Name, job.Name))
	})

	It("says what its pod waited for when the time is over", func(ctx context.Context) {
		project := newCheckedProject(ctx)
		asked := running(unscheduled)
		asked.TimeoutSeconds = 8
		ended := start(ctx, asked, project, "1")
		job := theJob(ctx, project)
		endPod(ctx, project, corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
			Name: "smoke", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}},
		}}})
		var finding check.Finding
		Eventually(ended).WithContext(ctx).WithTimeout(patience).Should(Receive(&finding))
		Expect(finding.Message).To(MatchRegexp(`^Job "%s" has failed: DeadlineExceeded: .*; pod %s-\w+: container "smoke" is waiting: ImagePullBackOff: no such image$`, job.Name, job.Name))
	})

	It("has failed when its Job is deleted", func(ctx context.Context) {
		project := newCheckedProject(ctx)
		ended := start(ctx, running(unscheduled), project, "1")
		job := theJob(ctx, project)
		Expect(admin.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
		Eventually(ended).WithContext(ctx).WithTimeout(patience).Should(Receive(Equal(check.Finding{
			Result: v1alpha1.CheckFailed, Retry: true, Message: fmt.Sprintf("Job %q was deleted before it had ended", job.Name),
		})))
	})

	It("stops waiting when it is stopped, and leaves the Job to whoever goes on", func(ctx context.Context) {
		project := newCheckedProject(ctx)
		stoppable, stop := context.WithCancel(ctx)
		ended := start(stoppable, running(unscheduled), project, "1")
		job := theJob(ctx, project)
		stop()
		Eventually(ended).WithContext(ctx).WithTimeout(patience).Should(Receive(HaveField("Message", fmt.Sprintf("waiting for Job %q was stopped", job.Name))))
		Expect(theJob(ctx, project).UID).To(Equal(job.UID))
	})

	It("says what to create when the checker is missing, or may not create Jobs", func(ctx context.Context) {
		project := newProject(ctx)
		const role = "`kubectl create role assent-checker --namespace %[1]s --verb=create --resource=jobs.batch` and " +
			"`kubectl create rolebinding assent-checker --namespace %[1]s --role=assent-checker --serviceaccount=%[1]s:assent-checker`"
		Expect(newJobs().Run(ctx, running(jobTemplate), subject(project), "1")).To(Equal(check.Finding{Result: v1alpha1.CheckFailed, Message: fmt.Sprintf("service account \"assent-checker\" does not exist in project \"%[1]s\": run `kubectl create serviceaccount assent-checker --namespace %[1]s`, "+role, project)}))
		withChecker(ctx, project)
		Eventually(func() check.Finding { return newJobs().Run(ctx, running(jobTemplate), subject(project), "1") }).WithContext(ctx).WithTimeout(patience).
			Should(Equal(check.Finding{Result: v1alpha1.CheckFailed, Message: fmt.Sprintf("service account \"assent-checker\" of project \"%[1]s\" may not create Jobs: run "+role, project)}))

		// What the message says is what helps.
		for _, command := range []string{
			"create role assent-checker --namespace %s --verb=create --resource=jobs.batch",
			"create rolebinding assent-checker --namespace %[1]s --role=assent-checker --serviceaccount=%[1]s:assent-checker",
		} {
			_, err := devcluster.Kubectl(ctx, "admin", "", strings.Fields(fmt.Sprintf(command, project))...)
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(run(ctx, running(jobTemplate), project, "1").Result).To(Equal(v1alpha1.CheckPassed))
	})

	It("is not tried again when the API server finds the Job invalid", func(ctx context.Context) {
		project := newCheckedProject(ctx)
		finding := run(ctx, running(strings.Replace(jobTemplate, "Never", "Always", 1)), project, "1")
		Expect(finding.Result).To(Equal(v1alpha1.CheckFailed))
		Expect(finding.Retry).To(BeFalse())
		Expect(finding.Message).To(And(HavePrefix("the API server refuses the Job as invalid, correct `job.template`"), ContainSubstring("restartPolicy")))
	})
})

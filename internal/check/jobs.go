// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
)

var (
	jobs            = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
	pods            = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	serviceAccounts = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
)

// grace is how long the operator waits after the time of an attempt: the Job's own deadline ends it, and its condition says so.
const grace = 15 * time.Second

// Jobs runs Jobs. It is safe for concurrent use.
type Jobs struct {
	// factory makes the clients that act as the service account assent-checker of a project.
	factory *apply.Factory
	// operator reads as the operator: it watches Jobs and their pods.
	operator dynamic.Interface
}

// NewJobs makes a Jobs of the operator's own configuration, and of the client and the mapper that its manager has; see apply.NewFactory.
func NewJobs(config *rest.Config, httpClient *http.Client, mapper meta.RESTMapper) (*Jobs, error) {
	operator, err := dynamic.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("make a client that watches Jobs: %w", err)
	}
	return &Jobs{factory: apply.NewFactory(config, mapper), operator: operator}, nil
}

// Run makes one attempt of a check with `job`: it creates the Job as the project's service account assent-checker, or goes on with the one that
// the same attempt created before, and waits until it has ended. The attempt is any text that tells one attempt of a check from the others.
func (j *Jobs) Run(ctx context.Context, check v1alpha1.Check, about Subject, attempt string) Finding {
	if problems := jobProblems(check); len(problems) > 0 {
		return misconfigured("`%s` %s", problems[0].Field, problems[0].Message)
	}
	wanted, err := newJob(check, about, attempt)
	if err != nil {
		return misconfigured("`job.template` %v", err)
	}
	limited, cancel := context.WithTimeout(ctx, timeout(check)+grace)
	defer cancel()
	checker, problem := j.checker(limited, about)
	if problem != nil {
		return *problem
	}
	if problem := j.ensure(limited, checker, wanted); problem != nil {
		if errors.Is(context.Cause(limited), context.Canceled) {
			return stopped(wanted) // whether it was created is for whoever goes on to find out
		}
		return *problem
	}
	return j.await(limited, wanted)
}

// checker acts as the project's service account assent-checker, for one promotion.
func (j *Jobs) checker(ctx context.Context, about Subject) (dynamic.ResourceInterface, *Finding) {
	no := func(finding Finding) (dynamic.ResourceInterface, *Finding) { return nil, &finding }
	project := about.Promotion.Namespace
	// The API server lets an account be impersonated that does not exist.
	_, err := j.operator.Resource(serviceAccounts).Namespace(project).Get(ctx, v1alpha1.CheckerServiceAccount, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return no(misconfigured("service account %q does not exist in project %q: run `kubectl create serviceaccount %[1]s --namespace %[2]s`, `%s` and `%s`",
			v1alpha1.CheckerServiceAccount, project, createRole(project), createBinding(project)))
	case err != nil:
		return no(failed("service account %q could not be looked for in project %q: %v", v1alpha1.CheckerServiceAccount, project, err))
	}
	identity := apply.PromotionIdentity{Namespace: project, Name: about.Promotion.Name, UID: about.Promotion.UID}
	deployer, err := j.factory.As(v1alpha1.Target{Namespace: project, ServiceAccountName: v1alpha1.CheckerServiceAccount}, identity)
	if err != nil {
		return no(failed("%v", err))
	}
	return deployer.Reader().Resource(jobs).Namespace(project), nil
}

func createRole(project string) string {
	return fmt.Sprintf("kubectl create role %s --namespace %s --verb=create --resource=jobs.batch", v1alpha1.CheckerServiceAccount, project)
}

func createBinding(project string) string {
	return fmt.Sprintf("kubectl create rolebinding %[1]s --namespace %[2]s --role=%[1]s --serviceaccount=%[2]s:%[1]s", v1alpha1.CheckerServiceAccount, project)
}

// ensure creates the Job, or finds that it was created before.
func (j *Jobs) ensure(ctx context.Context, checker dynamic.ResourceInterface, wanted *batchv1.Job) *Finding {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(wanted)
	if err != nil {
		return found(failed("the Job could not be encoded: %v", err))
	}
	object := &unstructured.Unstructured{Object: content}
	unstructured.RemoveNestedField(object.Object, "status")
	_, err = checker.Create(ctx, object, metav1.CreateOptions{FieldManager: v1alpha1.FieldManager})
	if apierrors.IsAlreadyExists(err) {
		return j.checkExisting(ctx, checker, object)
	}
	return refusal(wanted, err)
}

func found(finding Finding) *Finding { return &finding }

// refusal says what an error of creating a Job means, and what to do.
func refusal(wanted *batchv1.Job, err error) *Finding {
	if err == nil {
		return nil
	}
	project, text := wanted.Namespace, err.Error()
	switch {
	case apierrors.IsForbidden(err) && strings.Contains(text, "cannot impersonate resource"):
		return found(misconfigured("the operator may not act as service account %q of project %q: install the ClusterRole assent-controller and its binding as Assent ships them: %s",
			v1alpha1.CheckerServiceAccount, project, text))
	case apierrors.IsForbidden(err) && strings.Contains(text, " cannot create resource "):
		return found(misconfigured("service account %q of project %q may not create Jobs: run `%s` and `%s`", v1alpha1.CheckerServiceAccount, project, createRole(project), createBinding(project)))
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return found(misconfigured("the API server refuses the Job as invalid, correct `job.template`: %s", text))
	default:
		return found(failed("the Job could not be created: %s", text))
	}
}

// checkExisting finds out whether a Job of that name is the one that this attempt would create. Names, labels and annotations are known to
// everybody, so its spec is compared as well, with what the API server would make of ours: somebody may have put a Job there that always succeeds.
func (j *Jobs) checkExisting(ctx context.Context, checker dynamic.ResourceInterface, wanted *unstructured.Unstructured) *Finding {
	existing, err := j.operator.Resource(jobs).Namespace(wanted.GetNamespace()).Get(ctx, wanted.GetName(), metav1.GetOptions{})
	if err != nil {
		return found(failed("Job %q could not be read: %v", wanted.GetName(), err))
	}
	probe := wanted.DeepCopy()
	// Another name of the same length: the API server answers a dry run of an existing one with a conflict.
	probe.SetName(wanted.GetName()[:len(wanted.GetName())-1] + "z")
	ours, err := checker.Create(ctx, probe, metav1.CreateOptions{FieldManager: v1alpha1.FieldManager, DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return found(failed("Job %q exists, and whether it is this check's could not be found out: %v", wanted.GetName(), err))
	}
	if !sameJob(existing, ours) {
		return found(misconfigured("Job %q exists and is not what this check runs: somebody else has created or changed it; delete it, and let the checks run again", wanted.GetName()))
	}
	return nil
}

// sameJob compares what the operator decides about a Job.
func sameJob(existing, ours *unstructured.Unstructured) bool {
	var is, should batchv1.Job
	convert := runtime.DefaultUnstructuredConverter.FromUnstructured
	if convert(existing.Object, &is) != nil || convert(ours.Object, &should) != nil {
		return false
	}
	for key, value := range should.Labels {
		if is.Labels[key] != value {
			return false
		}
	}
	if is.Annotations[AnnotationTemplateHash] != should.Annotations[AnnotationTemplateHash] || is.DeletionTimestamp != nil {
		return false
	}
	return equality.Semantic.DeepEqual(bySpec(is.Spec), bySpec(should.Spec))
}

// bySpec leaves out of a Job's spec what the API server makes of its name and UID.
func bySpec(spec batchv1.JobSpec) batchv1.JobSpec {
	spec = *spec.DeepCopy()
	spec.Selector = nil
	for _, label := range []string{batchv1.ControllerUidLabel, batchv1.JobNameLabel, "controller-uid", "job-name"} {
		delete(spec.Template.Labels, label)
	}
	return spec
}

var errDeleted = errors.New("it was deleted")

// await watches the Job until it has ended.
func (j *Jobs) await(ctx context.Context, wanted *batchv1.Job) Finding {
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := j.watchPods(watched, wanted)
	ended, err := j.untilEnded(ctx, wanted)
	reason := seen.reason()
	switch {
	case errors.Is(err, errDeleted):
		return failed("Job %q was deleted before it had ended", wanted.Name)
	case errors.Is(context.Cause(ctx), context.Canceled):
		return stopped(wanted)
	case err != nil:
		return failed("Job %q has not ended within `timeoutSeconds`%s", wanted.Name, appended(reason))
	}
	for _, condition := range ended.Status.Conditions {
		if condition.Type == batchv1.JobComplete && condition.Status == corev1.ConditionTrue {
			return passed("Job %q has completed", wanted.Name)
		}
		if condition.Type == batchv1.JobFailed && condition.Status == corev1.ConditionTrue {
			return failed("Job %q has failed: %s: %s%s", wanted.Name, condition.Reason, condition.Message, appended(reason))
		}
	}
	return failed("Job %q has ended without saying how", wanted.Name)
}

func stopped(wanted *batchv1.Job) Finding {
	return failed("waiting for Job %q was stopped", wanted.Name)
}

func appended(reason string) string {
	if reason == "" {
		return ""
	}
	return "; " + reason
}

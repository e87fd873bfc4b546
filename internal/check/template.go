// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	// defaultTTL is how long an ended Job is kept for people to look at, in seconds.
	defaultTTL int32 = 86400
	// minTTL is how long it has to be kept for the operator to see how it ended, even one that was just restarted, in seconds.
	minTTL int32 = 60
	// ownPrefix begins the labels and annotations that the operator sets.
	ownPrefix = v1alpha1.GroupName + "/"
)

func jobProblems(check v1alpha1.Check) []Problem {
	job, err := parseTemplate(check.Job.Template)
	if err != nil {
		return []Problem{{Field: "job.template", Message: err.Error()}}
	}
	var all []Problem
	for _, rule := range templateRules {
		if rule.broken(job) {
			all = append(all, Problem{Field: "job.template", Message: rule.message})
		}
	}
	return all
}

// parseTemplate reads the one Job that a template holds. Fields that a Job does not have are refused: they would be ignored.
func parseTemplate(text string) (*batchv1.Job, error) {
	documents, err := split(text)
	if err != nil {
		return nil, fmt.Errorf("must be YAML: %w", err)
	}
	if len(documents) != 1 {
		return nil, fmt.Errorf("must hold exactly one Job: it holds %d documents", len(documents))
	}
	job := &batchv1.Job{}
	if err := yaml.UnmarshalStrict(documents[0], job); err != nil {
		reason := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "error unmarshaling JSON: "), "while decoding JSON: ")
		return nil, fmt.Errorf("must be the metadata and the spec of a batch/v1 Job: %s", printable(strings.TrimPrefix(reason, "json: "), 300))
	}
	return job, nil
}

// split parts YAML into its documents, without the empty ones.
func split(text string) ([][]byte, error) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	var documents [][]byte
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		if content, err := yaml.YAMLToJSON(document); err != nil || !bytes.Equal(content, []byte("null")) {
			documents = append(documents, document)
		}
	}
}

// templateRules are what a template must not say, because the operator says it, or could not follow the Job.
var templateRules = []struct {
	broken  func(*batchv1.Job) bool
	message string
}{
	{func(j *batchv1.Job) bool {
		return j.APIVersion != "" && j.APIVersion != "batch/v1" || j.Kind != "" && j.Kind != "Job"
	}, "must be a batch/v1 Job"},
	{func(j *batchv1.Job) bool { return j.Name != "" || j.GenerateName != "" }, "must not have `metadata.name` or `metadata.generateName`: the operator names each attempt"},
	{func(j *batchv1.Job) bool { return j.Namespace != "" }, "must not have `metadata.namespace`: the Job runs in the project"},
	{func(j *batchv1.Job) bool { return len(j.OwnerReferences) > 0 || len(j.Finalizers) > 0 }, "must not have `metadata.ownerReferences` or `metadata.finalizers`"},
	{func(j *batchv1.Job) bool { return hasOwn(j.Labels) || hasOwn(j.Annotations) }, "must not have labels or annotations that begin with " + ownPrefix},
	{func(j *batchv1.Job) bool { return !onlyTemplateMetadata(j) }, "must have no metadata but labels and annotations, and no `status`"},
	{func(j *batchv1.Job) bool { return len(j.Spec.Template.Spec.Containers) == 0 }, "must have a container in `spec.template.spec.containers`"},
	{func(j *batchv1.Job) bool { return j.Spec.Selector != nil || j.Spec.ManualSelector != nil }, "must not have `spec.selector` or `spec.manualSelector`: Kubernetes sets it"},
	{func(j *batchv1.Job) bool { return ptr.Deref(j.Spec.Suspend, false) }, "must not have `spec.suspend`: the Job would never run"},
	{func(j *batchv1.Job) bool { return j.Spec.ManagedBy != nil }, "must not have `spec.managedBy`"},
	{func(j *batchv1.Job) bool { return ptr.Deref(j.Spec.TTLSecondsAfterFinished, defaultTTL) < minTTL }, fmt.Sprintf(
		"must have at least %d `spec.ttlSecondsAfterFinished`: how the Job has ended could not be seen", minTTL)},
}

func hasOwn(values map[string]string) bool {
	for key := range values {
		if strings.HasPrefix(key, ownPrefix) {
			return true
		}
	}
	return false
}

// onlyTemplateMetadata compares with a Job that has what a template may have.
func onlyTemplateMetadata(job *batchv1.Job) bool {
	rest := job.DeepCopy()
	rest.Name, rest.GenerateName, rest.Namespace, rest.OwnerReferences, rest.Finalizers = "", "", "", nil, nil
	plain := &batchv1.Job{TypeMeta: job.TypeMeta, Spec: job.Spec}
	plain.Labels, plain.Annotations = job.Labels, job.Annotations
	got, gotErr := yaml.Marshal(rest)
	want, wantErr := yaml.Marshal(plain)
	return gotErr == nil && wantErr == nil && bytes.Equal(got, want)
}

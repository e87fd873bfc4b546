// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	// LabelCheck on a Job names the check that it is an attempt of.
	LabelCheck = "assent.dev/check"
	// AnnotationTemplateHash on a Job is the digest of what the operator wanted it to be.
	AnnotationTemplateHash = "assent.dev/template-hash"
	// maxName is how long a Job's name may be: it becomes a label of its pods.
	maxName = 63
	// hashLength is how many hexadecimal digits of a digest tell the Jobs of all attempts apart.
	hashLength = 16
)

// newJob is the Job of one attempt: the template, a name and labels that tell whose it is, and bounds of its time.
func newJob(check v1alpha1.Check, about Subject, attempt string) (*batchv1.Job, error) {
	job, err := parseTemplate(check.Job.Template)
	if err != nil {
		return nil, err
	}
	job.TypeMeta = metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"}
	job.Name, job.Namespace = jobName(check, about, attempt), about.Promotion.Namespace
	labels := map[string]string{
		LabelCheck: check.Name, v1alpha1.LabelPromotionUID: string(about.Promotion.UID), v1alpha1.LabelEnvironment: about.Environment.Name,
	}
	job.Labels = merged(job.Labels, labels)
	seconds := int64(timeout(check) / time.Second)
	job.Spec.ActiveDeadlineSeconds = ptr.To(min(seconds, max(1, ptr.Deref(job.Spec.ActiveDeadlineSeconds, seconds))))
	if job.Spec.BackoffLimit == nil {
		job.Spec.BackoffLimit = ptr.To[int32](0)
	}
	if job.Spec.TTLSecondsAfterFinished == nil {
		job.Spec.TTLSecondsAfterFinished = ptr.To(defaultTTL)
	}
	content, err := json.Marshal(job)
	if err != nil {
		return nil, fmt.Errorf("encode the Job as JSON: %w", err)
	}
	job.Annotations = merged(job.Annotations, map[string]string{AnnotationTemplateHash: "sha256:" + digest(content)})
	return job, nil
}

func merged(template, own map[string]string) map[string]string {
	all := maps.Clone(template)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, own)
	return all
}

// jobName is the same whenever the same attempt is asked for: an operator that was restarted finds the Job that it has created.
func jobName(check v1alpha1.Check, about Subject, attempt string) string {
	// Lengths keep the parts apart.
	var identity strings.Builder
	for _, part := range []string{string(about.Promotion.UID), check.Name, string(about.PlanDigest), attempt} {
		_, _ = fmt.Fprintf(&identity, "%d:%s", len(part), part)
	}
	suffix := "-" + digest([]byte(identity.String()))[:hashLength]
	prefix := "check-" + check.Name
	return strings.TrimRight(prefix[:min(len(prefix), maxName-len(suffix))], "-") + suffix
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CheckPhase says when a check runs.
// +kubebuilder:validation:Enum=Before;After
type CheckPhase string

const (
	// CheckBefore is the default: the check runs before the rollout and is a gate.
	CheckBefore CheckPhase = "Before"
	// CheckAfter runs once everything is healthy: the check verifies the rollout.
	CheckAfter CheckPhase = "After"
)

// HTTPMethod of a check's request.
// +kubebuilder:validation:Enum=GET;POST
type HTTPMethod string

const (
	// HTTPMethodGet is the default.
	HTTPMethodGet HTTPMethod = "GET"
	// HTTPMethodPost sends a description of the Promotion along.
	HTTPMethodPost HTTPMethod = "POST"
)

// CheckResult is what a check has found.
// +kubebuilder:validation:Enum=Passed;Failed
type CheckResult string

const (
	// CheckPassed means that the check found what it asks for.
	CheckPassed CheckResult = "Passed"
	// CheckFailed means that it did not, or that it could not be carried out.
	CheckFailed CheckResult = "Failed"
)

// Check is a question that is answered outside of Assent: by a Job, by a server, or by what Prometheus has measured.
//
// +kubebuilder:validation:ExactlyOneOf=http;job;prometheus
// +kubebuilder:validation:XValidation:rule="!has(self.times) || self.times == 1 || self.phase == 'After'",fieldPath=".times",message="times is for checks of phase After: a check before the rollout has to pass once"
type Check struct {
	// name of the check, as messages show it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`
	// phase in which the check runs: Before, as a gate of the start, or After, as the verification of the rollout. Default: Before.
	// +optional
	// +default="Before"
	Phase CheckPhase `json:"phase,omitempty"`
	// http asks a server.
	// +optional
	HTTP HTTPCheck `json:"http,omitempty,omitzero"`
	// job runs a Job in the project.
	// +optional
	Job JobCheck `json:"job,omitempty,omitzero"`
	// prometheus asks a server with Prometheus' HTTP API.
	// +optional
	Prometheus PrometheusCheck `json:"prometheus,omitempty,omitzero"`
	// times is how often in succession a check of phase After has to pass, `intervalSeconds` apart. Default: 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Times int32 `json:"times,omitempty"`
	// timeoutSeconds is how long one attempt may take. Default: 60 seconds.
	// +optional
	// +default=60
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
	// attempts is how often in succession the check is tried before it has failed. A check of phase After has also failed when it has not passed `times` in
	// succession within `times` times `attempts` attempts. Default: 3.
	// +optional
	// +default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	Attempts int32 `json:"attempts,omitempty"`
	// intervalSeconds is the time between two attempts. Default: 30 seconds.
	// +optional
	// +default=30
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	IntervalSeconds int32 `json:"intervalSeconds,omitempty"`
	// validSeconds is for how long a result of phase Before counts. An older one is stale, and the check runs again once every other gate holds. Default: 600 seconds.
	// +optional
	// +default=600
	// +kubebuilder:validation:Minimum=30
	// +kubebuilder:validation:Maximum=604800
	ValidSeconds int32 `json:"validSeconds,omitempty"`
}

// HTTPCheck asks a server and judges its answer. A redirect is followed on the same host alone, and private addresses are refused unless the
// operator's flag --check-networks allows them.
type HTTPCheck struct {
	// url to ask; must begin with https:// or http://.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^\s]+$`
	URL string `json:"url,omitempty"`
	// method is GET, or POST, which sends the Promotion's project, name, uid, type, release, version, environment, plan digest, requester and reason as JSON. Default: GET.
	// +optional
	// +default="GET"
	Method HTTPMethod `json:"method,omitempty"`
	// headers that are sent along.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Headers []HTTPHeader `json:"headers,omitempty"`
	// when the check has passed, as a CEL expression over `status` (a number), `headers` (by names in lower case), `body` (parsed from JSON; null if it is none)
	// and `text`, such as "status == 200 && body.state == 'approved'". Default: "status == 200".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	When string `json:"when,omitempty"`
}

// PrometheusCheck asks for the current value of a query, and judges it.
type PrometheusCheck struct {
	// url of the server, without /api/v1; must begin with https:// or http://.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^\s]+$`
	URL string `json:"url,omitempty"`
	// query in PromQL.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	Query string `json:"query,omitempty"`
	// headers that are sent along.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Headers []HTTPHeader `json:"headers,omitempty"`
	// when the check has passed, as a CEL expression over `result`: a list with the `labels` and the `value` (a number) of each series, such as
	// "result.all(r, r.value < 0.01)". A scalar is one series without labels. There must be at least one series, unless the expression asks for size(result), such as
	// "size(result) == 0 || result[0].value < 0.01". A value that is NaN passes no comparison by its order; math.isNaN tells it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	When string `json:"when,omitempty"`
}

// HTTPHeader is one header of a request.
//
// +kubebuilder:validation:ExactlyOneOf=value;secretRef
type HTTPHeader struct {
	// name of the header.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9-]+$`
	Name string `json:"name,omitempty"`
	// value of the header, for what is no secret.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value,omitempty"`
	// secretRef names a Secret of the project that holds the value. The operator must be allowed to read it (ClusterRole assent-secret-reader, with
	// `resourceNames`), and the Secret must name the server's host in its annotation assent.dev/check-hosts.
	// +optional
	SecretRef SecretKeyReference `json:"secretRef,omitempty,omitzero"`
}

// SecretKeyReference names one key of a Secret in the same project.
type SecretKeyReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// key in the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// JobCheck runs a Job in the project, created as the project's service account assent-checker. It has passed when the Job has completed. Whoever sets it
// must be allowed to impersonate that account.
type JobCheck struct {
	// template of the Job as YAML text: the `metadata` (labels and annotations) and the `spec` of a batch/v1 Job.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	Template string `json:"template,omitempty"`
}

// CheckStatus is what a check has found.
type CheckStatus struct {
	// name of the check.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// result is Passed or Failed.
	// +required
	Result CheckResult `json:"result,omitempty"`
	// message says what was found.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message,omitempty"`
	// time at which the check ended.
	// +required
	Time metav1.Time `json:"time,omitempty,omitzero"`
	// times that it has passed in succession; for a check of phase After alone.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Times *int32 `json:"times,omitempty"`
	// attempts that it took.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Attempts *int32 `json:"attempts,omitempty"`
	// planDigest that it was run for. For another plan it runs again.
	// +required
	PlanDigest Digest `json:"planDigest,omitempty"`
	// rerun is the value that the annotation assent.dev/rerun-checks had, by its digest.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=71
	Rerun string `json:"rerun,omitempty"`
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/check"
)

func asking(url string, change ...func(*v1alpha1.HTTPCheck)) v1alpha1.Check {
	made := v1alpha1.Check{Name: "ticket", HTTP: v1alpha1.HTTPCheck{URL: url}, TimeoutSeconds: 5}
	for _, c := range change {
		c(&made.HTTP)
	}
	return made
}

func running(template string) v1alpha1.Check {
	return v1alpha1.Check{Name: "smoke", Job: v1alpha1.JobCheck{Template: template}, TimeoutSeconds: 30}
}

func when(source string) func(*v1alpha1.HTTPCheck) {
	return func(h *v1alpha1.HTTPCheck) { h.When = source }
}

func header(name, value string) func(*v1alpha1.HTTPCheck) {
	return func(h *v1alpha1.HTTPCheck) {
		h.Headers = append(h.Headers, v1alpha1.HTTPHeader{Name: name, Value: value})
	}
}

const jobTemplate = `
metadata: {labels: {team: web}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: smoke, image: registry/smoke}]
`

// with is the template with something more in it.
func with(more string) string {
	return strings.Replace(jobTemplate, "spec:\n", "spec:\n  "+more+"\n", 1)
}

func TestProblemsNameTheFieldAndWhatIsWrongWithIt(t *testing.T) {
	const bound = "http://tickets.example.com"
	for name, test := range map[string]struct {
		check v1alpha1.Check
		want  string
	}{
		"a URL":                         {asking("https://tickets.example.com:8443/state?id=1"), ""},
		"an IPv6 address":               {asking("https://[2a00:1450::1]/"), ""},
		"a plain Authorization":         {asking(bound, header("Authorization", "Bearer public")), ""},
		"a URL with a password":         {asking("https://bob:hunter2@tickets.example.com"), "http.url must not hold a user name or password: use a header with `secretRef`"},
		"a URL without a host":          {asking("https:///state"), "http.url must name a host"},
		"a URL with a port alone":       {asking("https://:8443/state"), "http.url must name a host"},
		"a URL with port 0":             {asking("https://tickets:0/"), "http.url must have a port from 1 to 65535, or none"},
		"a URL with a port too large":   {asking("https://tickets:70000/"), "http.url must have a port from 1 to 65535, or none"},
		"a URL with an empty port":      {asking("https://tickets:/"), "http.url must have a port from 1 to 65535, or none"},
		"another scheme":                {asking("file:///etc/passwd"), "http.url must begin with https:// or http://"},
		"a URL with a fragment":         {asking(bound + "/#state"), "http.url must not have a fragment: it is never sent"},
		"no URL at all":                 {asking("http://[::1"), "http.url must be a URL such as https://tickets.example.com/state"},
		"a name in brackets":            {asking("http://[tickets]/"), "http.url must be a URL such as https://tickets.example.com/state"},
		"the header Host":               {asking(bound, header("Host", "internal")), `http.headers[0] must not set "Host": the connection decides it`},
		"the header Content-Length":     {asking(bound, header("A", "b"), header("content-length", "7")), `http.headers[1] must not set "content-length": the connection decides it`},
		"the header Connection":         {asking(bound, header("CONNECTION", "close")), `http.headers[0] must not set "CONNECTION": the connection decides it`},
		"the header Accept-Encoding":    {asking(bound, header("Accept-Encoding", "br")), `http.headers[0] must not set "Accept-Encoding": the connection decides it`},
		"a header twice":                {asking(bound, header("X-A", "1"), header("x-a", "2")), `http.headers[1] sets "x-a" a second time: names are the same in upper and lower case`},
		"a header of two lines":         {asking(bound, header("X-A", "1\r\nHost: internal")), `http.headers[0] "X-A" must be one line`},
		"a header with another control": {asking(bound, header("X-A", "1\x7f")), `http.headers[0] "X-A" must be one line`},
		"two headers, one with a tab":   {asking(bound, header("X-A", "1\t2"), header("X-B", "1")), ""},
		"a query to no URL":             {measuring("http://[::1", below), "prometheus.url must be a URL such as https://tickets.example.com/state"},
		"a wrong expression":            {asking(bound, when("stats == 200")), "http.when undeclared reference to 'stats' (line 1, column 1): stats == 200"},
		"an expression without a truth": {asking(bound, when("status")), "http.when must be true or false: its type is int and must be bool"},
		"a query":                       {measuring(bound+"/prometheus", below), ""},
		"a query to a wrong URL":        {measuring("ftp://metrics", below), "prometheus.url must begin with https:// or http://"},
		"a URL with the API's path":     {measuring(bound+"/api/v1/query", below), "prometheus.url must not hold /api/v1: it is added, with /query"},
		"no query":                      {v1alpha1.Check{Prometheus: v1alpha1.PrometheusCheck{URL: bound, Query: " ", When: below}}, "prometheus.query must not be empty"},
		"a query with the header Host":  {v1alpha1.Check{Prometheus: v1alpha1.PrometheusCheck{URL: bound, Query: "up", When: below, Headers: []v1alpha1.HTTPHeader{{Name: "Host", Value: "a"}}}}, `prometheus.headers[0] must not set "Host": the connection decides it`},
		"a wrong measurement":           {measuring(bound, "result[0].valeu < 1"), "prometheus.when undefined field 'valeu' (line 1, column 10): .valeu < 1"},
		"repeated before the rollout":   {v1alpha1.Check{HTTP: v1alpha1.HTTPCheck{URL: bound}, Times: 3}, "times must be 1 or absent: a check before the rollout has to pass once; or set `phase: After`"},
		"repeated after the rollout":    {v1alpha1.Check{Phase: v1alpha1.CheckAfter, HTTP: v1alpha1.HTTPCheck{URL: bound}, Times: 3}, ""},
		"a Job":                         {running(jobTemplate), ""},
		"a Job with its kind":           {running("apiVersion: batch/v1\nkind: Job\n" + jobTemplate), ""},
		"a Job after a comment":         {running("# smoke test\n---\n" + jobTemplate), ""},
		"two Jobs":                      {running(jobTemplate + "---\n" + jobTemplate), "job.template must hold exactly one Job: it holds 2 documents"},
		"nothing but a comment":         {running("# later"), "job.template must hold exactly one Job: it holds 0 documents"},
		"an unknown field":              {running(with("backofLimit: 3")), `job.template must be the metadata and the spec of a batch/v1 Job: unknown field "backofLimit"`},
		"a field of the wrong type":     {running(with("backoffLimit: many")), "job.template must be the metadata and the spec of a batch/v1 Job: cannot unmarshal string into Go struct field JobSpec.spec.backoffLimit of type int32"},
		"text":                          {running("run the tests"), "job.template must be the metadata and the spec of a batch/v1 Job: cannot unmarshal string into Go value of type v1.Job"},
		"another kind":                  {running("kind: Pod\n" + jobTemplate), "job.template must be a batch/v1 Job"},
		"a name":                        {running("metadata: {name: smoke}\n" + specOf(jobTemplate)), "job.template must not have `metadata.name` or `metadata.generateName`: the operator names each attempt"},
		"a generated name":              {running("metadata: {generateName: smoke-}\n" + specOf(jobTemplate)), "job.template must not have `metadata.name` or `metadata.generateName`: the operator names each attempt"},
		"a namespace":                   {running("metadata: {namespace: kube-system}\n" + specOf(jobTemplate)), "job.template must not have `metadata.namespace`: the Job runs in the project"},
		"an owner":                      {running("metadata: {ownerReferences: [{apiVersion: v1, kind: Pod, name: a, uid: b}]}\n" + specOf(jobTemplate)), "job.template must not have `metadata.ownerReferences` or `metadata.finalizers`"},
		"a label of ours":               {running("metadata: {labels: {assent.dev/check: other}}\n" + specOf(jobTemplate)), "job.template must not have labels or annotations that begin with assent.dev/"},
		"an annotation of ours":         {running("metadata: {annotations: {assent.dev/template-hash: x}}\n" + specOf(jobTemplate)), "job.template must not have labels or annotations that begin with assent.dev/"},
		"a UID":                         {running("metadata: {uid: abc}\n" + specOf(jobTemplate)), "job.template must have no metadata but labels and annotations, and no `status`"},
		"a status":                      {running(jobTemplate + "status: {succeeded: 1}\n"), "job.template must have no metadata but labels and annotations, and no `status`"},
		"no container":                  {running("spec: {template: {spec: {restartPolicy: Never}}}"), "job.template must have a container in `spec.template.spec.containers`"},
		"a selector":                    {running(with("selector: {matchLabels: {a: b}}")), "job.template must not have `spec.selector` or `spec.manualSelector`: Kubernetes sets it"},
		"a suspended Job":               {running(with("suspend: true")), "job.template must not have `spec.suspend`: the Job would never run"},
		"a Job of another controller":   {running(with("managedBy: example.com/x")), "job.template must not have `spec.managedBy`"},
		"a Job that is deleted at once": {running(with("ttlSecondsAfterFinished: 0")), "job.template must have at least 60 `spec.ttlSecondsAfterFinished`: how the Job has ended could not be seen"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, problem := range check.Problems([]v1alpha1.Check{asking(bound), test.check}) {
				got = append(got, fmt.Sprintf("%s %s", strings.TrimPrefix(problem.Field, "spec.checks[1]."), problem.Message))
			}
			if text := strings.Join(got, "\n"); text != test.want {
				t.Errorf("\n got %s\nwant %s", text, test.want)
			}
		})
	}
}

func specOf(template string) string {
	_, spec, _ := strings.Cut(template, "spec:")
	return "spec:" + spec
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/check"
)

func measuring(url, when string) v1alpha1.Check {
	return v1alpha1.Check{
		Name: "errors", Phase: v1alpha1.CheckAfter, Prometheus: v1alpha1.PrometheusCheck{URL: url, Query: "sum(rate(errors[1m]))", When: when}, TimeoutSeconds: 5,
	}
}

// vector is a successful answer with these entries.
func vector(entries ...string) string {
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(entries, ",") + `]}}`
}

func entry(labels, value string) string {
	return fmt.Sprintf(`{"metric":{%s},"value":[1763600000.123,%q]}`, labels, value)
}

const below = "result[0].value < 0.01"

func TestAMeasurementIsJudgedByWhen(t *testing.T) {
	many := strings.Repeat(entry(`"code":"500"`, "0.5")+",", 11) + entry("", "0.6")
	for name, test := range map[string]struct {
		when, answer string
		result       v1alpha1.CheckResult
		message      string
	}{
		"below":     {below, vector(entry("", "0.002")), v1alpha1.CheckPassed, "%s returned 0.002"},
		"above":     {below, vector(entry(`"job":"shop","code":"500"`, "0.02")), v1alpha1.CheckFailed, "`when` is not met: %s returned {code=\"500\", job=\"shop\"} 0.02"},
		"a name":    {below, vector(entry(`"__name__":"up","job":"shop"`, "1")), v1alpha1.CheckFailed, "`when` is not met: %s returned up{job=\"shop\"} 1"},
		"by labels": {"result.exists(r, r.labels.job == 'shop')", vector(entry(`"job":"shop"`, "1")), v1alpha1.CheckPassed, "%s returned {job=\"shop\"} 1"},
		"a scalar":  {below, `{"status":"success","data":{"resultType":"scalar","result":[1763600000,"0.002"]}}`, v1alpha1.CheckPassed, "%s returned 0.002"},
		"NaN": {below, vector(entry("", "NaN")), v1alpha1.CheckFailed,
			"`when` could not be evaluated (evaluate: NaN values cannot be ordered): %s returned NaN"},
		"NaN that must not be above": {"!(result[0].value > 0.01)", vector(entry("", "NaN")), v1alpha1.CheckFailed,
			"`when` could not be evaluated (evaluate: NaN values cannot be ordered): %s returned NaN"},
		"NaN that is meant": {"math.isNaN(result[0].value) || " + below, vector(entry("", "NaN")), v1alpha1.CheckPassed, "%s returned NaN"},
		"infinity":          {below, vector(entry("", "+Inf")), v1alpha1.CheckFailed, "`when` is not met: %s returned +Inf"},
		"below everything":  {below, vector(entry("", "-Inf")), v1alpha1.CheckPassed, "%s returned -Inf"},
		"beyond a float":    {below, vector(entry("", "1e999")), v1alpha1.CheckFailed, "`when` is not met: %s returned +Inf"},
		"no series": {"result.all(r, r.value < 0.01)", vector(), v1alpha1.CheckFailed,
			"the query returned no series: mend `prometheus.query`, or let `when` say what that means, such as by \"size(result) == 0 || result[0].value < 1\""},
		"no series that are meant": {"size(result) == 0 || " + below, vector(), v1alpha1.CheckPassed, "%s returned no series"},
		"no series by null": {"size(result) == 1", `{"status":"success","data":{"resultType":"vector","result":null}}`, v1alpha1.CheckFailed,
			"`when` is not met: %s returned no series"},
		"three of many": {below, vector(many), v1alpha1.CheckFailed,
			"`when` is not met: %s returned {code=\"500\"} 0.5, {code=\"500\"} 0.5, {code=\"500\"} 0.5, and 9 more series"},
		"a field that is not there": {"result[1].value < 1", vector(entry("", "1")), v1alpha1.CheckFailed,
			"`when` could not be evaluated (evaluate: index out of bounds: 1): %s returned 1"},
		"warnings": {below, strings.Replace(vector(entry("", "0")), "{", `{"warnings":["store 2 is down","and 3"],`, 1), v1alpha1.CheckPassed,
			"%s returned 0 (the server warns: store 2 is down; and 1 more warnings)"},
		"no series, with a warning": {below, strings.Replace(vector(), "{", `{"warnings":["store 2 is down"],`, 1), v1alpha1.CheckFailed,
			"the query returned no series (the server warns: store 2 is down): mend `prometheus.query`, or let `when` say what that means, such as by \"size(result) == 0 || result[0].value < 1\""},
		"a label that breaks lines": {below, vector(entry(`"a":"x\n\u001b[31m"`, "1")), v1alpha1.CheckFailed, "`when` is not met: %s returned {a=\"x\\n\\x1b[31m\"} 1"},
		"a label without end": {below, vector(entry(`"a":"`+strings.Repeat("é", 5000)+`"`, "1")), v1alpha1.CheckFailed,
			"`when` is not met: %s returned {a=\"" + strings.Repeat("é", 155) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			address, host := serve(t, answers(200, test.answer))
			message := test.message
			if strings.Contains(message, "%s") {
				message = fmt.Sprintf(message, host)
			}
			expect(t, ask(t, measuring(address, test.when)), test.result, test.result == v1alpha1.CheckFailed, message)
		})
	}
}

func TestAnAnswerThatIsNoMeasurementSaysWhatToDo(t *testing.T) {
	const noAnswer = ", which is no answer of Prometheus' HTTP API: set `prometheus.url` to where /api/v1 begins"
	for name, test := range map[string]struct {
		status  int
		answer  string
		retry   bool
		message string
	}{
		"a query that is wrong": {400, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error"}`, false,
			"%s refuses the query, correct `prometheus.query`: invalid parameter \"query\": 1:5: parse error"},
		"a query that cannot be carried out": {422, `{"status":"error","errorType":"execution","error":"many-to-many matching not allowed"}`, true,
			"%s could not answer the query (execution): many-to-many matching not allowed"},
		"a query that takes too long": {503, `{"status":"error","errorType":"timeout","error":"query timed out"}`, true, "%s could not answer the query (timeout): query timed out"},
		"an error without end": {500, `{"status":"error","errorType":"internal","error":"` + strings.Repeat("e", 9000) + `"}`, true,
			"%s could not answer the query (internal): " + strings.Repeat("e", 499) + "…"},
		"a matrix": {200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, false,
			"%s returned values over a time (a matrix), which cannot be judged: let `prometheus.query` make one value of each series, such as by rate(…) or max_over_time(…)"},
		"a text": {200, `{"status":"success","data":{"resultType":"string","result":[0,"a"]}}`, false,
			"%s returned a text, which cannot be judged: let `prometheus.query` return numbers"},
		"a histogram": {200, vector(`{"metric":{},"histogram":[0,{"count":"1"}]}`), false,
			"%s returned a histogram, which cannot be judged: let `prometheus.query` make one value of it, such as by histogram_quantile(0.99, …)"},
		"another resultType": {200, `{"status":"success","data":{"resultType":"cube"}}`, true,
			"%s answered 200: {\"status\":\"success\",\"data\":{\"resultType\":\"cube\"}}, which could not be read: its resultType \"cube\" is none of vector and scalar"},
		"another API":     {200, `{"status":"success","data":[1]}`, true, "%s answered 200: {\"status\":\"success\",\"data\":[1]}" + noAnswer},
		"a page":          {404, "<html>\x00\xff not found", true, "%s answered 404: <html> � not found" + noAnswer},
		"a login":         {401, "who are you?", true, "%s answered 401: who are you?" + noAnswer + ", and `prometheus.headers` to what it asks for"},
		"half of JSON":    {200, `{"status":"success","da`, true, "%s answered 200: {\"status\":\"success\",\"da" + noAnswer},
		"two of JSON":     {200, `{"status":"success"} {}`, true, "%s answered 200: {\"status\":\"success\"} {}" + noAnswer},
		"nothing":         {200, "", true, "%s answered 200" + noAnswer},
		"null":            {200, "null", true, "%s answered 200: null" + noAnswer},
		"a deep nest":     {200, strings.Repeat("[", 100_000), true, "%s answered 200: " + strings.Repeat("[", 199) + "…" + noAnswer},
		"a text as value": {200, vector(entry("", "many")), true, "%s answered 200: " + vector(entry("", "many")) + ", which could not be read: the value \"many\" is no number"},
		"no value":        {200, vector(`{"metric":{}}`), true, "%s answered 200: " + vector(`{"metric":{}}`) + ", which could not be read: a series has no value"},
		"a lonely time": {200, vector(`{"metric":{},"value":[1]}`), true,
			"%s answered 200: " + vector(`{"metric":{},"value":[1]}`) + ", which could not be read: a sample has 1 parts, and must have a time and a value"},
	} {
		t.Run(name, func(t *testing.T) {
			address, host := serve(t, answers(test.status, test.answer))
			expect(t, ask(t, measuring(address, "size(result) >= 0")), v1alpha1.CheckFailed, test.retry, fmt.Sprintf(test.message, host))
		})
	}
}

func TestAQueryIsAskedAsPrometheusWantsItAndBelowThePathOfTheURL(t *testing.T) {
	type request struct{ method, path, tenant, contentType, query, timeout, dedup string }
	var got request
	address, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		got = request{r.Method, r.URL.Path, r.Header.Get("X-Scope-OrgID"), r.Header.Get("Content-Type"), r.PostForm.Get("query"), r.PostForm.Get("timeout"), r.Form.Get("dedup")}
		_, _ = io.WriteString(w, vector(entry("", "0")))
	})
	asked := measuring(address+"/select/0/prometheus/?dedup=true", below)
	asked.Prometheus.Query = `sum(rate(errors{code=~"5.."}[1m])) / 2 + 1 & "ü"`
	asked.Prometheus.Headers = []v1alpha1.HTTPHeader{{Name: "X-Scope-OrgID", Value: "shop"}}
	if finding := ask(t, asked); finding.Result != v1alpha1.CheckPassed {
		t.Error(finding.Message)
	}
	want := request{"POST", "/select/0/prometheus/api/v1/query", "shop", "application/x-www-form-urlencoded", asked.Prometheus.Query, "5s", "true"}
	if got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestAServerOfMeasurementsIsAskedWithinTheSameBounds(t *testing.T) {
	var elsewhere atomic.Int32
	other, _ := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	var target string
	code := http.StatusTemporaryRedirect
	address, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/there" && r.PostFormValue("query") != "" {
			_, _ = io.WriteString(w, vector(entry("", "0")))
			return
		}
		http.Redirect(w, r, target, code)
	})

	target = "/there"
	expect(t, ask(t, measuring(address, below)), v1alpha1.CheckPassed, false, host+" returned 0")
	target = other + "/there"
	expect(t, ask(t, measuring(address, below)), v1alpha1.CheckFailed, false, fmt.Sprintf("%s must not be followed: it redirects to %q, and a check follows "+
		"redirects to the same scheme, host and port alone: set `prometheus.url` to where it leads", host, other))
	if elsewhere.Load() != 0 {
		t.Errorf("the other server was asked %d times", elsewhere.Load())
	}
	code, target = http.StatusFound, "/there"
	expect(t, ask(t, measuring(address, below)), v1alpha1.CheckFailed, false,
		host+" must not be followed: it redirects to \"/there\" in a way that loses the query: set `prometheus.url` to where it leads")

	_, port, _ := net.SplitHostPort(host)
	expect(t, (&check.HTTP{}).Ask(t.Context(), measuring("http://127.0.0.1:"+port, below), subject("shop")), v1alpha1.CheckFailed, false,
		host+" must not be asked: its address 127.0.0.1 is private: the administrator must allow that network with the operator's flag --check-networks")
}

func TestAServerOfMeasurementsThatHangsIsGivenUpInTime(t *testing.T) {
	released := make(chan struct{})
	defer close(released)
	address, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"status":"success",`)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-released:
		}
	})
	asked := measuring(address, below)
	asked.TimeoutSeconds = 1
	began := time.Now()
	expect(t, ask(t, asked), v1alpha1.CheckFailed, true, host+" did not answer within `timeoutSeconds`, 1s")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestTooManySeriesAreNotJudged(t *testing.T) {
	for name, test := range map[string]struct {
		series  int
		message string
	}{
		"a million": {1_000_000, "%s answered 200 with more than 1 MiB, which is not read: let `prometheus.query` return fewer series, such as by sum() or topk()"},
		"1001":      {1001, "%s returned 1001 series, and a check may have 1000: let `prometheus.query` return fewer series, such as by sum() or topk()"},
	} {
		t.Run(name, func(t *testing.T) {
			address, host := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[`)
				for range test.series - 1 {
					if _, err := io.WriteString(w, entry("", "0")+","); err != nil {
						return // nobody reads any more
					}
				}
				_, _ = io.WriteString(w, entry("", "0")+"]}}")
			})
			expect(t, ask(t, measuring(address, "result.all(r, r.value < 0.01)")), v1alpha1.CheckFailed, true, fmt.Sprintf(test.message, host))
		})
	}
	address, _ := serve(t, answers(200, vector(strings.Repeat(entry("", "0")+",", 999)+entry("", "0"))))
	if finding := ask(t, measuring(address, "result.all(r, r.value < 0.01)")); finding.Result != v1alpha1.CheckPassed {
		t.Errorf("%+v", finding)
	}
}

func TestAMeasurementThatIsWrittenWronglyIsNeitherAskedNorTriedAgain(t *testing.T) {
	var asked atomic.Int32
	address, _ := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	expect(t, ask(t, measuring(address, "result.value < 1")), v1alpha1.CheckFailed, false,
		"`prometheus.when` type 'list(Series)' does not support field selection (line 1, column 7): .value < 1")
	expect(t, ask(t, measuring(address+"/api/v1", below)), v1alpha1.CheckFailed, false, "`prometheus.url` must not hold /api/v1: it is added, with /query")
	if asked.Load() != 0 {
		t.Errorf("the server was asked %d times", asked.Load())
	}
}

// oneSecret is what the API server has, or why it does not give it.
type oneSecret struct {
	hosts, value string
	fault        error
}

func (s oneSecret) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	*object.(*corev1.Secret) = corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Annotations: map[string]string{v1alpha1.AnnotationCheckHosts: s.hosts}},
		Data:       map[string][]byte{"token": []byte(s.value)},
	}
	return s.fault
}

func (oneSecret) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

func TestASecretIsSentToTheServerOfMeasurementsThatItNamesAndIsHiddenInLabelsAndErrors(t *testing.T) {
	for name, answer := range map[string]string{
		"a label":   vector(entry(`"token":"Bearer s3cret-value"`, "1")),
		"an error":  `{"status":"error","errorType":"execution","error":"no Bearer s3cret-value"}`,
		"a warning": strings.Replace(vector(), "{", `{"warnings":["s3cret-value"],`, 1),
		"garbage":   "s3cret-value",
	} {
		t.Run(name, func(t *testing.T) {
			var got atomic.Value
			address, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got.Store(r.Header.Get("Authorization"))
				_, _ = io.WriteString(w, answer)
			})
			asked := measuring(address, below)
			asked.Prometheus.Headers = []v1alpha1.HTTPHeader{{Name: "Authorization", SecretRef: v1alpha1.SecretKeyReference{Name: "metrics", Key: "token"}}}
			secret := oneSecret{hosts: "metrics.example.com", value: "Bearer s3cret-value"}
			finding := (&check.HTTP{Secrets: secret, Networks: local}).Ask(t.Context(), asked, subject("shop"))
			expect(t, finding, v1alpha1.CheckFailed, false, fmt.Sprintf("secret \"metrics\" must not be sent to %q: add that host to the Secret's annotation "+
				"assent.dev/check-hosts, which lists hosts separated by commas", host))
			if got.Load() != nil {
				t.Errorf("the server was sent %q", got.Load())
			}
			secret.hosts = host
			finding = (&check.HTTP{Secrets: secret, Networks: local}).Ask(t.Context(), asked, subject("shop"))
			if got.Load() != secret.value || strings.Contains(finding.Message, "s3cret") || !strings.Contains(finding.Message, "[hidden]") {
				t.Errorf("the server was sent %q, and the message is: %s", got.Load(), finding.Message)
			}
		})
	}
}

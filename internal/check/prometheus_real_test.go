// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/check"
)

// shop is a program that counts its requests and errors. It is busy: with each scrape there were 100 more requests.
type shop struct {
	requests, errors atomic.Int64
	// wrong is how many of those requests are errors.
	wrong atomic.Int64
}

func (s *shop) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_, _ = fmt.Fprintf(w, "# TYPE shop_requests_total counter\nshop_requests_total %d\n# TYPE shop_errors_total counter\nshop_errors_total{code=\"500\"} %d\n",
		s.requests.Add(100), s.errors.Add(s.wrong.Load()))
}

// listening is what Prometheus says once it listens.
var listening = regexp.MustCompile(`"Listening on".*address=(\S+)`)

// startPrometheus starts a real Prometheus that scrapes a target ten times a second, and returns its URL.
func startPrometheus(t *testing.T, target string) string {
	t.Helper()
	script := exec.CommandContext(t.Context(), "sh", "../../hack/prometheus.sh")
	script.Stderr = os.Stderr
	program, err := script.Output()
	if err != nil {
		t.Fatalf("this test needs a Prometheus; hack/prometheus.sh says above how to get one: %v", err)
	}
	folder := t.TempDir()
	config := filepath.Join(folder, "prometheus.yml")
	content := fmt.Sprintf("global: {scrape_interval: 100ms}\nscrape_configs:\n- {job_name: shop, static_configs: [{targets: [%q]}]}\n", target)
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.CommandContext(t.Context(), strings.TrimSpace(string(program)),
		"--config.file="+config, "--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address=127.0.0.1:0")
	log, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	return "http://" + addressIn(t, log)
}

// addressIn reads a log until it names the address, and goes on reading, so that nobody who writes it has to wait.
func addressIn(t *testing.T, log io.Reader) string {
	t.Helper()
	found := make(chan string, 1)
	go func() {
		defer close(found)
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			if match := listening.FindStringSubmatch(lines.Text()); match != nil {
				found <- match[1]
				break
			}
			_, _ = fmt.Fprintln(os.Stderr, lines.Text())
		}
		_, _ = io.Copy(io.Discard, log)
	}()
	select {
	case address, ok := <-found:
		if ok {
			return address
		}
	case <-time.After(patience):
	}
	t.Fatal("Prometheus does not listen; what it says is above")
	return ""
}

func TestARealPrometheusIsAskedWhatItHasMeasured(t *testing.T) {
	g := NewWithT(t)
	target := &shop{}
	_, host := serve(t, target.ServeHTTP)
	address := startPrometheus(t, host)
	server := strings.TrimPrefix(address, "http://")
	asked := func(query, when string) func() check.Finding {
		return func() check.Finding {
			made := measuring(address, when)
			made.Prometheus.Query = query
			return ask(t, made)
		}
	}
	const ratio = "sum(rate(shop_errors_total[10s])) / sum(rate(shop_requests_total[10s]))"
	healthy := asked(ratio, "result[0].value < 0.01")

	g.Eventually(healthy).WithTimeout(patience).Should(Equal(check.Finding{Result: v1alpha1.CheckPassed, Message: server + " returned 0"}))
	target.wrong.Store(50)
	g.Eventually(healthy).WithTimeout(patience).Should(And(HaveField("Result", v1alpha1.CheckFailed), HaveField("Retry", true),
		HaveField("Message", MatchRegexp("^`when` is not met: "+regexp.QuoteMeta(server)+` returned 0\.\d+$`))))

	for _, test := range []struct {
		query, when string
		want        check.Finding
	}{
		{"shop_errors_total > 0", "result.all(r, r.labels.code == '500')", check.Finding{Result: v1alpha1.CheckPassed}},
		{"scalar(up)", "result[0].value == 1.0", check.Finding{Result: v1alpha1.CheckPassed, Message: server + " returned 1"}},
		{"up", "result[0].value == 0.0", check.Finding{Result: v1alpha1.CheckFailed, Retry: true,
			Message: fmt.Sprintf("`when` is not met: %s returned up{instance=%q, job=\"shop\"} 1", server, host)}},
		{"vector(1) / 0", "math.isInf(result[0].value)", check.Finding{Result: v1alpha1.CheckPassed, Message: server + " returned +Inf"}},
		{"vector(0) / 0", "!(result[0].value > 0.01)", check.Finding{Result: v1alpha1.CheckFailed, Retry: true,
			Message: "`when` could not be evaluated (evaluate: NaN values cannot be ordered): " + server + " returned NaN"}},
		{"shop_refunds_total", "result.all(r, r.value < 1)", check.Finding{Result: v1alpha1.CheckFailed, Retry: true,
			Message: "the query returned no series: mend `prometheus.query`, or let `when` say what that means, such as by \"size(result) == 0 || result[0].value < 1\""}},
		{"shop_refunds_total", "size(result) == 0", check.Finding{Result: v1alpha1.CheckPassed, Message: server + " returned no series"}},
		{"up[1m]", "true", check.Finding{Result: v1alpha1.CheckFailed, Message: server + " returned values over a time (a matrix), which cannot be judged: " +
			"let `prometheus.query` make one value of each series, such as by rate(…) or max_over_time(…)"}},
		{"'shop'", "true", check.Finding{Result: v1alpha1.CheckFailed, Message: server + " returned a text, which cannot be judged: let `prometheus.query` return numbers"}},
		{"sum(", "true", check.Finding{Result: v1alpha1.CheckFailed, Message: server + " refuses the query, correct `prometheus.query`: " +
			`invalid parameter "query": 1:5: parse error: unclosed left parenthesis`}},
	} {
		t.Run(test.query, func(t *testing.T) {
			got := asked(test.query, test.when)()
			if test.want.Message == "" {
				test.want.Message = got.Message
			}
			expect(t, got, test.want.Result, test.want.Retry, test.want.Message)
		})
	}
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/report"
)

// past is a history of four records, as it was written.
func past(t *testing.T, environment string) []v1alpha1.AuditRecord {
	t.Helper()
	var records []v1alpha1.AuditRecord
	var head v1alpha1.AuditHead
	for i, kind := range []v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditSucceeded, v1alpha1.AuditIntent, v1alpha1.AuditFailed} {
		record, err := audit.Seal("shop", head, v1alpha1.AuditRecordSpec{
			Environment: environment, Type: kind, Time: metav1.NewTime(time.Date(2031, 3, 7, 10, i, 0, 0, time.UTC)),
			Promotion: v1alpha1.ObjectIdentity{Name: fmt.Sprintf("shop-1.%d.0-%s", i/2, environment), UID: fmt.Sprintf("uid-%d", i/2)}, Reason: "<vouchers>",
		})
		if err != nil {
			t.Fatal(err)
		}
		records, head = append(records, *record), audit.HeadOf(record)
	}
	return records
}

// lines of JSON, as an export has them.
func lines(t *testing.T, values ...any) string {
	t.Helper()
	var out strings.Builder
	for _, value := range values {
		line, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	return out.String()
}

func exported(t *testing.T, records []v1alpha1.AuditRecord, head v1alpha1.AuditHead) string {
	t.Helper()
	text := lines(t, report.AuditHead{
		TypeMeta: metav1.TypeMeta{APIVersion: report.APIVersion, Kind: report.KindAuditHead},
		Project:  "shop", Environment: records[0].Spec.Environment, Sequence: head.Sequence, Head: head.Head,
	})
	for i := range records {
		text += lines(t, records[i])
	}
	return text
}

// verify what is in a file, without a cluster.
func verify(t *testing.T, input string, arguments ...string) (code int, out, said string) {
	t.Helper()
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	var printed, told bytes.Buffer
	streams := genericiooptions.IOStreams{In: strings.NewReader(input), Out: &printed, ErrOut: &told}
	code = Run(t.Context(), streams, append([]string{"audit", "verify", "-f", "-"}, arguments...))
	return code, printed.String(), told.String()
}

func TestAnExportIsVerifiedWithoutACluster(t *testing.T) {
	records := past(t, "production")
	head := audit.HeadOf(&records[3])
	forked, err := audit.Seal("shop", audit.HeadOf(&records[0]), v1alpha1.AuditRecordSpec{Environment: "production", Type: v1alpha1.AuditCancelled})
	if err != nil {
		t.Fatal(err)
	}
	edited := exported(t, records, head)
	edited = strings.Replace(edited, "Succeeded", "Failed", 1)
	for _, test := range []struct {
		name, input string
		want        []string
	}{
		{"nothing was done to it", exported(t, records, head), nil},
		{"what was archived overlaps with what is left", exported(t, records[:3], audit.HeadOf(&records[1])) + exported(t, records[1:], head), nil},
		{"an edit", edited, []string{`record "production-0000000002" was edited: its content has the hash "sha256:`}},
		{"a gap", exported(t, append(append([]v1alpha1.AuditRecord{}, records[:1]...), records[2:]...), head),
			[]string{`a gap before record "production-0000000003": number 2 is missing`}},
		{"a fork", exported(t, records, head) + lines(t, forked), []string{`record "production-0000000002" is a fork: there are two with number 2`, "does not follow the one before it"}},
		{"a truncation", exported(t, records[:3], head), []string{"the history was truncated: it ends with number 3, and the environment's status names number 4"}},
		{"a truncation that only an older head shows", exported(t, records[:1], head) + exported(t, records[:1], audit.HeadOf(&records[0])), []string{"it ends with number 1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, said := verify(t, test.input)
			if wrong := len(test.want) > 0; wrong != (code == 1) || wrong == strings.Contains(out, " sound\n") || wrong != strings.Contains(said, "audit export") {
				t.Errorf("it ends with %d and prints %s%s", code, out, said)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing: %s", want, out)
				}
			}
		})
	}
}

func TestHistoriesAreReadAsTheyAreKept(t *testing.T) {
	records := past(t, "production")
	var list v1alpha1.AuditRecordList
	list.Kind, list.APIVersion, list.Items = "List", "v1", records
	indented, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	shipped := lines(t, map[string]any{"level": "info", "msg": "starting"})
	for i := range records {
		shipped += lines(t, map[string]any{"project": "shop", "audit": records[i].Spec})
	}
	for name, test := range map[string]struct{ input, said string }{
		"a list of kubectl":          {string(indented), ""},
		"lines of the operator":      {shipped, "1 other things in \"-\" were left out.\n"},
		"both, one after the other":  {string(indented) + "\n" + shipped, "1 other things in \"-\" were left out.\n"},
		"without a line's end at it": {strings.TrimSpace(shipped), "1 other things in \"-\" were left out.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, said := verify(t, test.input)
			if code != 0 || said != test.said || !regexp.MustCompile(`(?m)^shop +production +4 +- +sha256:[0-9a-f]{64} +sound$`).MatchString(out) {
				t.Errorf("it ends with %d and prints %s%s", code, out, said)
			}
		})
	}
}

func TestWhatCannotBeReadIsNamedByItsLine(t *testing.T) {
	records := past(t, "production")
	good := exported(t, records, audit.HeadOf(&records[3]))
	unknown := strings.Replace(good, `"type":"Failed"`, `"type":"Failed","mood":"gloomy"`, 1)
	for name, test := range map[string]struct{ input, want string }{
		"no JSON":           {good + "apiVersion: v1\n", `reading the history from "-": line 6 or later is not JSON`},
		"cut off":           {strings.TrimSuffix(good, "}\n"), "unexpected EOF"},
		"a field of future": {unknown, `line 5: record "production-0000000004": json: unknown field "mood"`},
	} {
		t.Run(name, func(t *testing.T) {
			if code, out, said := verify(t, test.input); code != 1 || out != "" || !strings.Contains(said, test.want) {
				t.Errorf("it ends with %d and prints %s%s", code, out, said)
			}
		})
	}
	if code, _, said := verify(t, "", "--filename", filepath.Join(os.TempDir(), "there-is-no-such-file")); code != 1 || !strings.Contains(said, "no such file") {
		t.Errorf("it ends with %d: %s", code, said)
	}
}

func TestOneOfSeveralHistoriesIsVerified(t *testing.T) {
	good, bad := past(t, "production"), past(t, "staging")
	input := exported(t, good, audit.HeadOf(&good[3])) + exported(t, bad[:2], audit.HeadOf(&bad[3]))
	if code, out, said := verify(t, input, "production", "-o", "name"); code != 0 || out != "environment.assent.dev/production\n" {
		t.Errorf("it ends with %d and prints %s%s", code, out, said)
	}
	if code, out, _ := verify(t, input, "-o", "jsonpath={.sound} {.items[1].environment} {.items[1].expectedSequence}"); code != 1 || out != "false staging 4" {
		t.Errorf("it ends with %d and prints %s", code, out)
	}
	if code, _, said := verify(t, input, "dev"); code != 1 || !strings.Contains(said, `there is no history of an environment "dev"`) {
		t.Errorf("it ends with %d: %s", code, said)
	}
	if code, _, said := verify(t, input, "-A"); code != 1 || !strings.Contains(said, "--filename looks at no cluster") {
		t.Errorf("it ends with %d: %s", code, said)
	}
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	aUID    = "4f1c2d9e-0b7a-4853-91d2-e3f405162738"
	aDigest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

// sent is a request with a form.
func sent(path, form string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form))
	r.Header.Set("Content-Type", formType)
	return r
}

// filled is a form of names and values.
func filled(pairs ...string) string {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return form.Encode()
}

func TestAFormSaysWhatIsWrongWithWhichField(t *testing.T) {
	long := strings.Repeat("ä", mostText)
	seen := []string{"uid", aUID, "digest", aDigest}
	with := func(pairs ...string) string { return filled(append(pairs, seen...)...) }
	for name, test := range map[string]struct {
		fields []field
		form   string
		wrong  string
	}{
		"a decision":                              {approveFields, with("comment", "looked at it"), ""},
		"a decision without a comment":            {approveFields, with("comment", "  "), ""},
		"a rejection says why":                    {rejectFields, with("reason", " \r\n "), "`reason` is missing"},
		"a decision without a UID":                {approveFields, filled("digest", aDigest), "`uid` is missing"},
		"a decision with an empty UID":            {approveFields, filled("uid", "", "digest", aDigest), "`uid` is missing"},
		"a decision without a digest":             {approveFields, filled("uid", aUID), "`digest` is missing"},
		"a decision with an empty digest":         {approveFields, filled("uid", aUID, "digest", " "), "`digest` is missing"},
		"a rejection without a digest":            {rejectFields, filled("uid", aUID, "reason", "no"), "`digest` is missing"},
		"an override without a digest":            {overrideFields, filled("uid", aUID, "gates", "Window", "reason", "x"), "`digest` is missing"},
		"a part of a digest":                      {approveFields, filled("uid", aUID, "digest", aDigest[:20]), "`digest` must be the digest of the plan that was looked at"},
		"a UID that is none":                      {approveFields, filled("uid", "a/../b", "digest", aDigest), "`uid` must be the UID of what was looked at"},
		"a withdrawal is on no plan":              {withdrawFields, filled("uid", aUID), ""},
		"a withdrawal without a UID":              {withdrawFields, filled("digest", aDigest), "`uid` is missing"},
		"a cancellation is on no plan":            {cancelFields, filled("uid", aUID, "digest", "", "reason", "not now"), ""},
		"a cancellation without a UID":            {cancelFields, filled("reason", "not now"), "`uid` is missing"},
		"a cancellation says why":                 {cancelFields, filled("uid", aUID), "`reason` is missing"},
		"an acknowledgement without a UID":        {acknowledgeFields, filled("comment", "seen"), "`uid` is missing"},
		"a field that is not known":               {approveFields, with("user", "mallory"), `"user" is no field of this form`},
		"a field that is given twice":             {approveFields, with("comment", "yes", "comment", "no"), "`comment` must be given at most once"},
		"a field that is given twice, once empty": {approveFields, with("comment", "yes", "comment", ""), "`comment` must be given at most once"},
		"characters are counted, and not bytes":   {approveFields, with("comment", long), ""},
		"the end of a line is one character":      {approveFields, with("comment", strings.Repeat("a\r\n", mostText/2)), ""},
		"too long":                                {approveFields, with("comment", long+"x"), "`comment` must have at most 1024 characters, and has 1025"},
		"characters that are not seen":            {approveFields, with("comment", "all\x1b[2Jwell"), "`comment` must be text in UTF-8, without control characters"},
		"text that is none":                       {approveFields, with("comment", "\xff"), "`comment` must be text in UTF-8, without control characters"},
		"several gates":                           {overrideFields, with("gates", "Window", "gates", "Hold", "reason", "incident"), ""},
		"no gate":                                 {overrideFields, with("reason", "incident"), "`gates` is missing"},
		"a gate that cannot be opened":            {overrideFields, with("gates", "Queue", "reason", "incident"), "`gates` must be one of Release, Upstream, Soak, Approval, Window, Hold, Schedule, Check"},
		"an override says why":                    {overrideFields, with("gates", "Window"), "`reason` is missing"},
		"a hold says why":                         {stopFields, "", "`reason` is missing"},
		"a promotion":                             {askFields, filled("release", "shop-1.0.0", "environment", "production", "type", "Promote"), ""},
		"a promotion of nothing, to nowhere":      {askFields, filled("type", "Promote"), "`environment` is missing; `release` is missing"},
		"a promotion of no known type":            {askFields, filled("release", "shop-1.0.0", "environment", "production", "type", "promote"), "`type` must be one of Promote, Rollback"},
		"no type is guessed":                      {askFields, filled("release", "shop-1.0.0", "environment", "production"), "`type` is missing"},
		"a name of no object":                     {askFields, filled("release", "../secrets", "environment", "production", "type", "Promote"), "`release` must be the name of an object: lower case letters, digits, dashes and dots"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(httptest.NewRecorder(), sent("/", test.form), test.fields)
			if got := said(err); got != test.wrong {
				t.Errorf("it says %q, and not %q", got, test.wrong)
			}
		})
	}
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestWhatIsWrittenIsTrimmed(t *testing.T) {
	given, err := read(httptest.NewRecorder(), sent("/", filled("reason", " \r\n the first\r\n\tof many \r\n", "uid", "")), stopFields)
	if err != nil || given.one("reason") != "the first\n\tof many" || given.one("uid") != "" {
		t.Errorf("%q: %v", given, err)
	}
}

// What stands in the address is in logs, in the history of the browser, and in links.
func TestFieldsInTheAddressAreNoForm(t *testing.T) {
	_, err := read(httptest.NewRecorder(), sent("/?"+filled("reason", "incident"), ""), stopFields)
	if said(err) != "`reason` is missing" {
		t.Errorf("the error is %v", err)
	}
}

func TestATimeIsInAZoneThatIsSaid(t *testing.T) {
	now := time.Date(2031, 3, 10, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct{ at, offset, want string }{
		"none":                                 {"", "", ""},
		"none, in a zone":                      {"", "+02:00", ""},
		"with its zone":                        {"2031-03-10T20:00:00+01:00", "", "2031-03-10T19:00:00Z"},
		"its own zone counts":                  {"2031-03-10T20:00:00Z", "+05:00", "2031-03-10T20:00:00Z"},
		"local, east of Greenwich":             {"2031-03-10T20:00", "+02:00", "2031-03-10T18:00:00Z"},
		"local, west of it, with seconds":      {"2031-03-10T20:00:30", "-03:30", "2031-03-10T23:30:30Z"},
		"local, in UTC":                        {"2031-03-10T20:00", "Z", "2031-03-10T20:00:00Z"},
		"local, in no zone":                    {"2031-03-10T20:00", "", "must be a time such as"},
		"local, in a zone that is nowhere":     {"2031-03-10T20:00", "+15:00", "must be a time such as"},
		"local, in a zone that cannot be read": {"2031-03-10T20:00", "120", "must be a time such as"},
		"no time":                              {"tomorrow", "Z", "must be a time such as"},
		"no day":                               {"2031-02-30T20:00", "Z", "must be a time such as"},
		"over":                                 {"2031-03-10T11:59:59Z", "", "must be a time that is still to come"},
		"over, though not by the clock over there": {"2031-03-10T12:30", "+01:00", "must be a time that is still to come"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := start(test.at, test.offset, now)
			switch {
			case err != nil:
				if test.want == "" || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "`at`") {
					t.Errorf("the error is %v", err)
				}
			case test.want == "" && !got.IsZero(), test.want != "" && got.UTC().Format(time.RFC3339) != test.want:
				t.Errorf("the time is %s", got.UTC())
			}
		})
	}
}

// postedForms are those of the templates: what their action ends with, and the form of a project that it stands for.
var postedForms = map[string]map[string]string{
	"promotion.html": {
		"{{.To}}/approve": "promotions/{name}/approve", "{{.To}}/reject": "promotions/{name}/reject", "{{.To}}/withdraw": "promotions/{name}/withdraw",
		"{{.To}}/acknowledge": "promotions/{name}/acknowledge", "{{.To}}/override": "promotions/{name}/override", "{{.To}}/cancel": "promotions/{name}/cancel",
	},
	"environment.html": {"{{.ToHold}}": "environments/{name}/hold", "{{.ToResume}}": "environments/{name}/resume", "{{.ToRollback}}": "promotions"},
	"release.html":     {"{{.To}}": "promotions", "{{.To}}/block": "releases/{name}/block", "{{.To}}/unblock": "releases/{name}/unblock"},
	"matrix.html":      {"": "promotions"},
}

var (
	postedForm  = regexp.MustCompile(`(?s)<form method="post"(?: action="([^"]*)")?.*?</form>`)
	namedField  = regexp.MustCompile(`<(?:input|select|textarea)[^>]* name="([^"]*)"`)
	seenOfPages = regexp.MustCompile(`\{\{template "action-seen" \.\}\}`)
)

func TestThePagesHaveTheFieldsThatTheFormsAreReadWith(t *testing.T) {
	forms := (&Actions{}).forms()
	for file, actions := range postedForms {
		text, err := os.ReadFile(filepath.Join("page", "templates", file))
		if err != nil {
			t.Fatal(err)
		}
		found := postedForm.FindAllSubmatch(text, -1)
		if len(found) != len(actions) {
			t.Errorf("%s has %d forms, and not %d", file, len(found), len(actions))
		}
		for _, match := range found {
			form, known := forms[actions[string(match[1])]]
			if !known {
				t.Errorf("%s has a form that is sent to %q", file, match[1])
				continue
			}
			names := map[string]bool{}
			if seenOfPages.Match(match[0]) {
				names["uid"], names["digest"] = true, true
			}
			for _, field := range namedField.FindAllSubmatch(match[0], -1) {
				names[string(field[1])] = true
			}
			for _, field := range form.fields {
				if field.required && !names[field.name] {
					t.Errorf("%s: the form that is sent to %q has no %q", file, match[1], field.name)
				}
				delete(names, field.name)
			}
			if len(names) > 0 {
				t.Errorf("%s: the form that is sent to %q has %v, which is refused", file, match[1], names)
			}
		}
	}
}

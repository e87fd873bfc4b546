// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
)

const (
	// formBytes is how long a form may be.
	formBytes = 64 << 10
	formType  = "application/x-www-form-urlencoded"
	// mostText is how many characters the API takes of a reason or a comment.
	mostText = 1024
)

// field of a form.
type field struct {
	name     string
	required bool
	// most is how many characters a value may have.
	most int
	// values is how many there may be; zero for one.
	values int
	// check says what a value must be, where it is not; it is asked about values that are not empty.
	check func(string) string
}

// The fields of all forms.
var (
	uidField    = field{name: "uid", required: true, most: 64, check: matching(regexp.MustCompile(`^[0-9A-Za-z-]+$`), "the UID of what was looked at")}
	digestField = field{name: "digest", required: true, most: 71,
		check: matching(regexp.MustCompile(`^sha256:[0-9a-f]{64}$`), "the digest of the plan that was looked at")}
	reasonField      = field{name: "reason", required: true, most: mostText, check: text}
	commentField     = field{name: "comment", most: mostText, check: text}
	releaseField     = field{name: "release", required: true, most: 253, check: objectName}
	environmentField = field{name: "environment", required: true, most: 63, check: objectName}
	typeField        = field{name: "type", required: true, most: 8,
		check: oneOf(string(v1alpha1.PromotionTypePromote), string(v1alpha1.PromotionTypeRollback))}
	atField     = field{name: "at", most: 40}
	offsetField = field{name: "offset", most: 6}
	gatesField  = field{name: "gates", required: true, most: 16, values: 8, check: oneOf(gateNames()...)}
)

// What each form has. A decision is on a plan; taking one back, cancelling and acknowledging are about the Promotion, whatever its plan is.
var (
	askFields         = []field{releaseField, environmentField, typeField, reasonField.optional(), atField, offsetField}
	approveFields     = []field{uidField, digestField, commentField}
	rejectFields      = []field{uidField, digestField, reasonField}
	withdrawFields    = []field{uidField, digestField.optional()}
	cancelFields      = []field{uidField, digestField.optional(), reasonField}
	overrideFields    = []field{uidField, digestField, gatesField, reasonField}
	acknowledgeFields = []field{uidField, digestField.optional(), commentField}
	stopFields        = []field{uidField.optional(), reasonField}
	goOnFields        = []field{uidField.optional()}
)

func (f field) optional() field {
	f.required = false
	return f
}

func gateNames() []string {
	var names []string
	for _, gate := range person.Overridable() {
		names = append(names, string(gate))
	}
	return names
}

// values of a form that were read, trimmed and found possible.
type values map[string][]string

// one is the value of a field that has at most one.
func (v values) one(name string) string {
	if len(v[name]) == 0 {
		return ""
	}
	return v[name][0]
}

// unreadable is a request that is no form as they are sent here.
type unreadable struct {
	status  int
	message string
}

func (e *unreadable) Error() string { return e.message }

// invalid is a form that cannot be carried out: what is wrong with which of its fields.
type invalid []string

func (e invalid) Error() string { return strings.Join(e, "; ") }

// read a form from a request. It must have the fields that are known, and no others.
func read(w http.ResponseWriter, r *http.Request, fields []field) (values, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != formType {
		return nil, &unreadable{http.StatusUnsupportedMediaType, "the request must be a form, sent as " + formType}
	}
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	var tooLarge *http.MaxBytesError
	switch err := r.ParseForm(); {
	case errors.As(err, &tooLarge):
		return nil, &unreadable{http.StatusRequestEntityTooLarge, fmt.Sprintf("the form must not be longer than %d KiB", formBytes>>10)}
	case err != nil:
		return nil, &unreadable{http.StatusBadRequest, "the form cannot be read: " + err.Error()}
	}
	given, wrong := values{}, invalid{}
	for _, f := range fields {
		found, problem := f.read(r.PostForm[f.name])
		if problem != "" {
			wrong = append(wrong, "`"+f.name+"` "+problem)
		}
		given[f.name] = found
	}
	for name := range r.PostForm {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == name }) {
			wrong = append(wrong, fmt.Sprintf("%q is no field of this form", name))
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return nil, wrong
	}
	return given, nil
}

// read what was sent for a field. Values that are empty say as much as none.
func (f field) read(sent []string) (found []string, problem string) {
	for _, value := range sent {
		value = strings.TrimSpace(strings.ReplaceAll(value, "\r\n", "\n"))
		if value == "" {
			continue
		}
		if count := utf8.RuneCountInString(value); count > f.most {
			return nil, fmt.Sprintf("must have at most %d characters, and has %d", f.most, count)
		}
		if f.check != nil {
			if must := f.check(value); must != "" {
				return nil, "must be " + must
			}
		}
		found = append(found, value)
	}
	switch most := max(f.values, 1); {
	case len(sent) > most:
		return nil, fmt.Sprintf("must be given at most %s", times(most))
	case len(found) == 0 && f.required:
		return nil, "is missing"
	default:
		return found, ""
	}
}

func times(count int) string {
	if count == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", count)
}

func matching(pattern *regexp.Regexp, must string) func(string) string {
	return func(value string) string {
		if pattern.MatchString(value) {
			return ""
		}
		return must
	}
}

func oneOf(possible ...string) func(string) string {
	return func(value string) string {
		if slices.Contains(possible, value) {
			return ""
		}
		return "one of " + strings.Join(possible, ", ")
	}
}

func objectName(value string) string {
	if len(validation.IsDNS1123Subdomain(value)) == 0 {
		return ""
	}
	return "the name of an object: lower case letters, digits, dashes and dots"
}

// text of people has lines and tabs, and no other characters that do something.
func text(value string) string {
	hidden := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	if utf8.ValidString(value) && !strings.ContainsFunc(value, hidden) {
		return ""
	}
	return "text in UTF-8, without control characters"
}

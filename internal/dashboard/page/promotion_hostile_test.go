// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/page"
	"github.com/assent-dev/assent/internal/report"
)

// hostile texts are what somebody writes who wants to act as whoever looks, or to have them see something else than there is.
var hostile = map[string]string{
	"a script":                 `"><script>alert(1)</script>`,
	"a handler":                `" onmouseover="alert(1)" x="`,
	"a handler in one quote":   `' onfocus='alert(1)' autofocus='`,
	"a handler without quotes": ` onload=alert(1) `,
	"an image":                 `</textarea></title></style><img src=x onerror=alert(1)>`,
	"a drawing":                `<svg><use href="data:image/svg+xml,x"/></svg>`,
	"an address that is code":  `javascript:alert(1)//`,
	"one that is data":         `data:text/html,<script>alert(1)</script>`,
	"one that hides":           "java\tscript:alert(1)",
	"a comment":                `<!-- `,
	"the end of one":           ` --> `,
	"a template":               `{{.Me}}${alert(1)}`,
	"a form":                   `</form><form action="https://evil.example"><button>Approve</button>`,
	"a base":                   `<base href="https://evil.example/">`,
	"entities":                 `&lt;script&gt;&#x202e;&quot;`,
	"a style":                  `<style>*{display:none}</style><p style="position:fixed">`,
	"text the other way round": "\u202egnp.exe\u202c\u2066\u2069",
	"text that is not there":   "a\u200bb\u00ad\ufeff\u2028\U000e0041",
	"what a terminal obeys":    "\x1b[2J\x07\x9b\r\x00",
	"what is no text":          "\xff\xfe\xc0",
}

// spoil writes a text before each text of an object, but for words that the API server lets nobody choose.
func spoil(of reflect.Value, with string) {
	switch of.Kind() {
	case reflect.Pointer:
		if !of.IsNil() {
			spoil(of.Elem(), with)
		}
	case reflect.Slice:
		for i := range of.Len() {
			spoil(of.Index(i), with)
		}
	case reflect.Struct:
		if of.Type() == reflect.TypeFor[metav1.Condition]() {
			spoil(of.FieldByName("Message"), with)
			return
		}
		for i := range of.NumField() {
			if of.Field(i).CanSet() && of.Type().Field(i).Name != "Schedule" && of.Type().Field(i).Name != "TimeZone" {
				spoil(of.Field(i), with)
			}
		}
	case reflect.String:
		if of.Type() == reflect.TypeFor[string]() && of.String() != "" {
			of.SetString(with + of.String())
		}
	default:
	}
}

// element is one with its attribute; what a text must not bring about.
type element struct{ tag, attribute string }

// looked is what a browser makes of a page.
type looked struct {
	elements map[element]int
	links    []string
	texts    []string
}

func lookAt(t *testing.T, document []byte) looked {
	t.Helper()
	root, err := html.Parse(strings.NewReader(string(document)))
	if err != nil {
		t.Fatal(err)
	}
	found := looked{elements: map[element]int{}}
	for node := range root.Descendants() {
		switch node.Type {
		case html.ElementNode:
			found.elements[element{node.Data, ""}]++
			for _, attribute := range node.Attr {
				found.elements[element{node.Data, attribute.Key}]++
				switch attribute.Key {
				case "href", "src", "action", "formaction", "xlink:href", "data", "poster":
					found.links = append(found.links, attribute.Val)
				default:
					found.texts = append(found.texts, attribute.Val)
				}
			}
		case html.CommentNode:
			found.elements[element{"comment", ""}]++
		case html.TextNode:
			found.texts = append(found.texts, node.Data)
		case html.ErrorNode, html.DocumentNode, html.DoctypeNode, html.RawNode:
		}
	}
	return found
}

// fullPages with everything that can be on them.
func fullPages(t *testing.T, with string) map[string][]byte {
	t.Helper()
	back, records := rolledBack()
	wentBack := seen(back, everyRight)
	wentBack.Records = records
	diffed := awaiting()
	if !strings.ContainsAny(with, "\n\r\t\x00") {
		diffed.Status.Plan.Diff = strings.ReplaceAll(diffed.Status.Plan.Diff, "replicas", "replicas"+with)
	}
	c := looking("frank", "shop-owners")
	documents := map[string][]byte{}
	add := func(name string, view page.View, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if documents[name], err = c.Document(view, "/", "/assets"); err != nil {
			t.Fatal(err)
		}
	}
	for name, of := range map[string]page.PromotionSeen{
		"awaiting": seen(awaiting(), everyRight), "diff": seen(diffed, nil), "rolling": seen(rolling(), everyRight), "rolled back": wentBack,
	} {
		if name != "diff" {
			spoil(reflect.ValueOf(&of).Elem(), with)
		}
		view, err := page.Promotion(c, of)
		add(name, view, err)
	}
	held := troubled()
	held.Spec.Hold.Reason = "incident"
	held.Spec.Signatures.Signers = []v1alpha1.Signer{{Name: "ci"}}
	held.Spec.AutoPromotion.Versions = ">=1.0.0"
	of := page.EnvironmentSeen{
		Environment: held, Promotions: []*v1alpha1.Promotion{awaiting(), rolling()}, Records: history(), ProjectHold: "moving", Trouble: trouble(),
		Rights: page.Rights{page.RightHold: true, page.RightResume: true, page.RightRollback: true},
	}
	spoil(reflect.ValueOf(&of).Elem(), with)
	view, err := page.Environment(c, of)
	add("environment", view, err)
	return documents
}

func trouble() *report.Trouble {
	return &report.Trouble{
		Pods: []report.PodTrouble{{
			Name: "shop-1", Reason: "CrashLoopBackOff", Container: "shop", Log: []string{"panic: no such table", "exit"},
			Event: &report.TroubleEvent{Kind: "Pod", Name: "shop-1", Reason: "BackOff", Message: "restarting failed container", Time: ago(0)},
		}},
		Events:  []report.TroubleEvent{{Kind: "Deployment", Name: "shop", Reason: "FailedCreate", Message: "quota", Time: ago(0)}},
		Unknown: "forbidden",
	}
}

func TestNothingThatPeopleWriteBecomesAPartOfThePage(t *testing.T) {
	harmless := map[element]bool{}
	for _, document := range fullPages(t, "") {
		for each := range lookAt(t, document).elements {
			harmless[each] = true
		}
	}
	// What notes may be made of.
	for _, tag := range []string{"p", "em", "strong", "code", "pre", "blockquote", "h5", "h6"} {
		harmless[element{tag, ""}] = true
	}
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			for where, document := range fullPages(t, text) {
				found := lookAt(t, document)
				for each := range found.elements {
					if !harmless[each] {
						t.Errorf("%s has got <%s %s>", where, each.tag, each.attribute)
					}
				}
				for _, link := range found.links {
					if !goesNowhere(link) {
						t.Errorf("%s has got a link to %q", where, link)
					}
				}
				for _, shown := range found.texts {
					if i := strings.IndexFunc(shown, deceives); i >= 0 {
						t.Errorf("%s shows %q", where, shown)
						break
					}
				}
			}
		})
	}
}

// goesNowhere says whether a link is one of the dashboard itself, or one of the fixture's to the web.
func goesNowhere(link string) bool {
	for _, allowed := range []string{"/assent/", "/assets/", "#", "https://ci.example.com/", "https://wiki.example.com/"} {
		if strings.HasPrefix(link, allowed) {
			return true
		}
	}
	return false
}

// deceives is the same as what the diff spells out: it orders text anew, hides, or is obeyed.
func deceives(r rune) bool {
	return (unicode.IsControl(r) && r != '\n' && r != '\t') || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

func TestWhatIsHiddenIsSpelledOut(t *testing.T) {
	p := awaiting()
	p.Spec.Reason = "fine\u202e eldi"
	_, slot := shown(t, looking("frank"), seen(p, nil))
	if !strings.Contains(slot("promotion-head"), `fine\u202e eldi`) {
		t.Error("a reason that reads the other way round does not say so")
	}
}

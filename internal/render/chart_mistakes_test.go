// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/assent-dev/assent/internal/source"
)

// job is a Job with annotations, as a hook has them.
func job(name, annotations string) string {
	return fmt.Sprintf("---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: %s, annotations: {%s}}\n", name, annotations)
}

func TestMistakesInChartsNameThePlaceAndTheRemedy(t *testing.T) {
	plain := configMap
	metadata := func(text string) source.Tree {
		tree := chartOf("templates/a.yaml", plain)
		tree["Chart.yaml"] = []byte(text)
		return tree
	}
	for name, row := range map[string]struct {
		tree   source.Tree
		values map[string]any
		want   []string
	}{
		"no chart at all":                   {tree: treeOf("a.yaml", plain), want: []string{"no chart was found", "Chart.yaml", `"a.yaml"`}},
		"two charts":                        {tree: treeOf("a/Chart.yaml", "", "b/Chart.yaml", ""), want: []string{"no chart was found"}},
		"metadata that are not YAML":        {tree: metadata("a: [b"), want: []string{`"Chart.yaml"`, "not valid YAML"}},
		"metadata that are a bomb":          {tree: metadata(bomb(9)), want: []string{`"Chart.yaml"`, "aliases"}},
		"metadata that are deep":            {tree: metadata("apiVersion: v2\nname: shop\nversion: 1.0.0\nx: " + strings.Repeat("[", 300) + strings.Repeat("]", 300)), want: []string{`"Chart.yaml"`, "nested deeper"}},
		"metadata without a version":        {tree: metadata("apiVersion: v2\nname: shop\n"), want: []string{`"Chart.yaml"`, "version", "helm lint"}},
		"a name that leads elsewhere":       {tree: metadata("apiVersion: v2\nname: ../shop\nversion: 1.0.0\n"), want: []string{`"Chart.yaml"`, "name"}},
		"a library":                         {tree: metadata("apiVersion: v2\nname: shop\nversion: 1.0.0\ntype: library\n"), want: []string{"is a library", "name the chart that uses it"}},
		"a dependency that is not vendored": {tree: metadata("apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies: [{name: db, version: 1.0.0, repository: 'https://x'}]\n"), want: []string{`needs chart "db" in version "1.0.0"`, "helm dependency build"}},
		"a dependency of a later chart": {tree: chartOf("charts/a/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n",
			"charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\ndependencies: [{name: db, version: 1.0.0}]\n"), want: []string{`"shop/charts/b/Chart.yaml"`, `needs chart "db"`}},
		"a dependency that is nothing":      {tree: metadata("apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies: [null]\n"), want: []string{`"Chart.yaml"`, "empty or null"}},
		"a bomb behind other values":        {tree: chartOf("values.yaml", "a: b\n---\n"+bomb(9)), want: []string{`"values.yaml"`, "aliases"}},
		"an older cluster":                  {tree: metadata("apiVersion: v2\nname: shop\nversion: 1.0.0\nkubeVersion: '>=1.99.0'\n"), want: []string{"needs Kubernetes >=1.99.0", "has v1.37.2"}},
		"values that are not YAML":          {tree: chartOf("values.yaml", "a: [b"), want: []string{`"values.yaml"`, "not valid YAML"}},
		"values that are a bomb":            {tree: chartOf("values.yaml", bomb(9)), want: []string{`"values.yaml"`, "aliases"}},
		"values of a subchart that are one": {tree: chartOf("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n", "charts/db/values.yaml", bomb(9)), want: []string{`"charts/db/values.yaml"`, "aliases"}},
		"a template that cannot be read":    {tree: chartOf("templates/a.yaml", "{{ if }}"), want: []string{`"shop/templates/a.yaml"`, "is not a template", "missing value for if"}},
		"a template of a later chart": {tree: chartOf("charts/a/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n", "charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n",
			"charts/b/templates/a.yaml", "{{ if }}"), want: []string{`"shop/charts/b/templates/a.yaml"`, "is not a template"}},
		"a function that is not known":  {tree: templated("{{ nonsense 1 }}"), want: []string{`"nonsense" not defined`, "a.yaml:7"}},
		"a template that is not known":  {tree: templated(`{{ include "none" . }}`), want: []string{"shop/templates/a.yaml", `no template "none"`}},
		"a template that is too large":  {tree: chartOf("templates/a.yaml", strings.Repeat("#", maxTemplateBytes+1)), want: []string{`"templates/a.yaml"`, "split it"}},
		"a value that is required":      {tree: templated(`{{ required "set password" .Values.password }}`), want: []string{"set password", "a.yaml:7", "`spec.overlay.values`"}},
		"a text that is no template":    {tree: templated(`{{ tpl "{{ if }}" . }}`), want: []string{"the text that `tpl` is given is not a template", "missing value for if"}},
		"a template that is a number":   {tree: templated(`{{ tpl 5 . }}`), want: []string{"expected string"}},
		"a chart that fails at length":  {tree: templated(`{{ fail (repeat 1000 "x") }}`), want: []string{"(…" + strings.Repeat("x", maxShown)}},
		"a chart that fails":            {tree: templated(`{{ fail "no such mode" }}`), want: []string{"no such mode"}},
		"a field of nothing":            {tree: templated(`{{ .Values.a.b.c }}`), want: []string{"nil pointer", "<.Values.a.b.c>"}},
		"a panic in a function":         {tree: templated(`{{ div 1 0 }}`), want: []string{"divide by zero"}},
		"nothing that is rendered":      {tree: chartOf("templates/a.yaml", "{{ if .Values.none }}a: b{{ end }}"), want: []string{"renders no object", "`spec.overlay.values`"}},
		"no templates":                  {tree: chartOf(), want: []string{"renders no object"}},
		"only tests":                    {tree: chartOf("templates/a.yaml", job("a", "helm.sh/hook: test")), want: []string{"renders no object"}},
		"what is not YAML":              {tree: chartOf("templates/a.yaml", plain+"---\na: {{ \"[b\" }}\n"), want: []string{`file "shop/templates/a.yaml", document 2`, "not valid YAML"}},
		"what is no object":             {tree: chartOf("templates/a.yaml", "{{ list 1 2 | toYaml }}"), want: []string{`"shop/templates/a.yaml"`, "is a list"}},
		"what has no name":              {tree: chartOf("templates/a.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Values.name }}}\n"), want: []string{"`metadata.name` is missing"}},
		"one object twice":              {tree: chartOf("templates/a.yaml", plain, "templates/b.yaml", plain), want: []string{`"shop/templates/b.yaml"`, `"shop/templates/a.yaml"`, "keep one"}},
		"too many objects":              {tree: chartOf("templates/a.yaml", `{{ range until 1001 }}{{ printf "---\napiVersion: v1\nkind: Service\nmetadata: {name: a%d}\n" . }}{{ end }}`), want: []string{"more than 1000 objects"}},
		"an object that is too large":   {tree: chartOf("templates/a.yaml", plain+`data: {a: {{ repeat 1100000 "x" }}}`), want: []string{`ConfigMap "web"`, "at most 1048576"}},
		"definitions that are not YAML": {tree: chartOf("crds/a.yaml", "a: [b"), want: []string{`"shop/crds/a.yaml"`, "not valid YAML"}},
		"values that do not fit":        {tree: readTree(t, "charts/shop"), values: map[string]any{"replicas": "many"}, want: []string{`schema of chart "shop"`, "replicas", "got string, want integer"}},
		"values for a subchart that are none": {tree: chartOf("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n"), values: map[string]any{"db": "yes"},
			want: []string{"db", "`spec.overlay.values`"}},
		"a schema that is not JSON":       {tree: withFiles(chartOf("templates/a.yaml", plain), "values.schema.json", "{"), want: []string{`"shop/values.schema.json"`, "is not valid JSON"}},
		"a schema that is none":           {tree: withFiles(chartOf("templates/a.yaml", plain), "values.schema.json", `{"type": 1}`), want: []string{`"shop/values.schema.json"`, "is not a schema"}},
		"a schema of the machine":         {tree: withFiles(chartOf("templates/a.yaml", plain), "values.schema.json", `{"$ref": "file:///etc/hostname"}`), want: []string{"nothing is fetched"}},
		"a schema of a name":              {tree: withFiles(chartOf("templates/a.yaml", plain), "values.schema.json", `{"$ref": "urn:x:y"}`), want: []string{"nothing is fetched"}},
		"a schema that multiplies":        {tree: withFiles(chartOf("templates/a.yaml", plain), "values.schema.json", schemaBomb(40)), want: []string{"too many steps", "make it simpler"}},
		"a schema that multiplies, newer": {tree: withFiles(chartOf("templates/a.yaml", plain), "values.schema.json", strings.Replace(schemaBomb(40), "{", `{"$schema": "https://json-schema.org/draft/2020-12/schema", `, 1)), want: []string{"too many steps"}},
		"a lookup":                        {tree: templated(`{{ lookup "v1" "Secret" "a" "b" }}`), want: []string{`"shop/templates/a.yaml"`, "`lookup`", "reads the cluster", "`spec.overlay.values`"}},
		"a lookup in a condition":         {tree: templated(`{{ if lookup "v1" "Secret" "a" "b" }}x{{ end }}`), want: []string{"`lookup`"}},
		"a lookup in a text":              {tree: templated(`{{ tpl "{{ lookup \"v1\" \"Secret\" \"a\" \"b\" }}" . }}`), want: []string{"`lookup`"}},
		"a host by its name":              {tree: templated(`{{ getHostByName "localhost" }}`), want: []string{"`getHostByName`", "asks the network"}},
		"the environment":                 {tree: templated(`{{ env "HOME" }}`), want: []string{"`env`", "reads the environment"}},
		"the environment in a text":       {tree: templated(`{{ expandenv "$HOME" }}`), want: []string{"`expandenv`"}},
		"a hook before removal":           {tree: chartOf("templates/a.yaml", job("a", "helm.sh/hook: pre-delete")), want: []string{`"shop/templates/a.yaml"`, `Job "a"`, `"pre-delete"`, "would never run", "`spec.overlay.values`"}},
		"hooks for removal and rollback":  {tree: chartOf("templates/a.yaml", job("a", `helm.sh/hook: "post-delete, pre-rollback"`)), want: []string{`"post-delete", "pre-rollback"`}},
		"a hook that is not known":        {tree: chartOf("templates/a.yaml", job("a", "helm.sh/hook: crd-install")), want: []string{`"crd-install"`, "is not known"}},
		"a hook before and after":         {tree: chartOf("templates/a.yaml", job("a", `helm.sh/hook: "pre-install,post-install"`)), want: []string{"cannot be in two waves"}},
		"a hook's weight that is none":    {tree: chartOf("templates/a.yaml", job("a", `helm.sh/hook: pre-install, helm.sh/hook-weight: heavy`)), want: []string{"`helm.sh/hook-weight` \"heavy\""}},
		"a hook below the lowest wave":    {tree: chartOf("templates/a.yaml", job("a", "helm.sh/hook: pre-install")+job("b", `assent.dev/wave: "-1000"`)), want: []string{"wave -1001"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Render(row.tree, chartOptions(row.values))
			expectError(t, err, row.want...)
			if strings.Contains(err.Error(), "assent_") {
				t.Errorf("the message %q shows what nobody has written", err)
			}
		})
	}
}

func withFiles(tree source.Tree, namesAndContents ...string) source.Tree {
	for name, content := range treeOf(namesAndContents...) {
		tree[name] = content
	}
	return tree
}

// schemaBomb is a schema each of whose parts refers to the next one twice.
func schemaBomb(levels int) string {
	var parts []string
	for i := range levels {
		parts = append(parts, fmt.Sprintf(`"d%d": {"allOf": [{"$ref": "#/definitions/d%d"}, {"$ref": "#/definitions/d%d"}]}`, i, i+1, i+1))
	}
	parts = append(parts, fmt.Sprintf(`"d%d": {"type": "object"}`, levels))
	return `{"$ref": "#/definitions/d0", "definitions": {` + strings.Join(parts, ", ") + `}}`
}

func TestNothingIsFetchedForASchema(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprint(writer, "{}")
	}))
	defer server.Close()
	for _, schema := range []string{
		`{"$ref": "%s/x.json"}`, `{"properties": {"a": {"$ref": "%s/x.json#/definitions/a"}}}`, `{"$schema": "%s/meta.json"}`,
		`{"$id": "%s/me.json", "$ref": "other.json"}`, `{"$schema": "https://json-schema.org/draft/2020-12/schema", "$dynamicRef": "%s/x.json"}`,
	} {
		tree := chartOf("templates/a.yaml", configMap, "values.schema.json", fmt.Sprintf(schema, server.URL))
		_, err := Render(tree, chartOptions())
		expectError(t, err, "nothing is fetched while rendering", "put the schema into the file")
	}
	if asked > 0 {
		t.Errorf("the network was asked %d times", asked)
	}
}

func TestAChartWhoseObjectsDifferEachTimeIsRefused(t *testing.T) {
	for call, function := range map[string]string{
		`randAlphaNum 10`: "randAlphaNum", `randAlpha 10`: "randAlpha", `randNumeric 10`: "randNumeric", `randAscii 10 | quote`: "randAscii", `randBytes 8`: "randBytes",
		`randInt 0 100`: "randInt", `shuffle "abc"`: "shuffle", `uuidv4`: "uuidv4", `now`: "now", `now | date "2006-01-02"`: "now", `now | htmlDate`: "now", `now | unixEpoch`: "now",
		`date "15" "x"`: "date", `htmlDate "x"`: "htmlDate", `dateInZone "15" "x" "UTC"`: "dateInZone", `date_in_zone "15" "x" "UTC"`: "date_in_zone", `htmlDateInZone "x" "UTC"`: "htmlDateInZone",
		`ago 5`: "ago", `durationRound (toDate "2006" "2000")`: "durationRound", `now.Unix`: "now",
		`bcrypt "a"`: "bcrypt", `htpasswd "a" "b"`: "htpasswd", `encryptAES "a" "b"`: "encryptAES", `genPrivateKey "rsa" | b64enc`: "genPrivateKey",
		`(genCA "a" 1).Cert | b64enc`: "genCA", `(genSelfSignedCert "a" nil nil 1).Key | sha256sum`: "genSelfSignedCert", `$ca := genCA "a" 1 }}{{ (genSignedCert "a" nil nil 1 $ca).Cert | b64enc`: "genSignedCert",
		`(genCAWithKey "a" 1 "k").Cert | b64enc`: "genCAWithKey", `(genSelfSignedCertWithKey "a" nil nil 1 "k").Cert | b64enc`: "genSelfSignedCertWithKey",
		`$ca := genCA "a" 1 }}{{ (genSignedCertWithKey "a" nil nil 1 $ca "k").Cert | b64enc`: "genSignedCertWithKey",
		`include "made" .`: "randAlphaNum", `tpl "{{ randAlphaNum 5 }}" .`: "randAlphaNum", `if eq (randInt 0 2) 1 }}x{{ end`: "randInt",
	} {
		t.Run(call, func(t *testing.T) {
			tree := templated("{{ " + call + " }}")
			tree["templates/_made.tpl"] = []byte(`{{ define "made" }}{{ randAlphaNum 4 | upper }}{{ end }}`)
			_, err := Render(tree, chartOptions())
			expectError(t, err, `"shop/templates/a.yaml"`, `"`+function+`"`, "different each time", "`spec.overlay.values`", "a Secret that exists")
		})
	}
}

func TestWhatIsMadeUpAndNotUsedIsNoReasonToRefuse(t *testing.T) {
	for name, row := range map[string]struct{ call, want string }{
		"a default that is not needed": {call: `{{ default (randAlphaNum 10) .Values.password }}`, want: "known\n"},
		"a length":                     {call: `{{ randAlphaNum 10 | len }}`, want: "10\n"},
		"a time that is compared":      {call: `{{ if now.After (toDate "2006" "1999") }}after{{ end }}`, want: "after\n"},
		"a certificate's beginning":    {call: `{{ (genCA "a" 1).Cert | trunc 10 }}`, want: "-----BEGIN\n"},
		"keys without an order":        {call: `{{ keys (dict "b" 1 "a" 2 "c" 3) | join "" }}{{ values (dict "b" 1 "a" 2 "c" 3) | join "" }}`, want: "abc213\n"},
		"a date that is given":         {call: `{{ date "2006-01-02 15" 0 }} {{ htmlDate 0 }} {{ dateInZone "15" 0 "Local" }} {{ (toDate "2006-01-02" "2020-01-02").Location }}`, want: "1970-01-01 00 1970-01-01 00 UTC\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TZ", "Asia/Tokyo")
			for range 5 {
				objects, err := Render(templated(row.call), chartOptions(map[string]any{"password": "known"}))
				if err != nil {
					t.Fatal(err)
				}
				if got := objects[0].Object["data"].(map[string]any)["a"]; got != row.want {
					t.Fatalf("got %q, want %q", got, row.want)
				}
			}
		})
	}
}

func TestHooksBecomeObjectsOfWaves(t *testing.T) {
	hooks := job("first", `helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-100"`) +
		job("second", `helm.sh/hook: pre-install`) + job("too", `helm.sh/hook: PRE-INSTALL, helm.sh/hook-weight: "0"`) +
		job("third", `helm.sh/hook: "pre-install, pre-delete", helm.sh/hook-weight: "7000"`) +
		job("after", `helm.sh/hook: "post-install,post-upgrade", helm.sh/hook-weight: "3"`) +
		job("chosen", `helm.sh/hook: post-install, assent.dev/wave: "12", assent.dev/rerun: Never`) +
		job("upgrade", "helm.sh/hook: pre-upgrade") + job("test", "helm.sh/hook: test-success") +
		job("both", `helm.sh/hook: "test,pre-delete,post-upgrade"`) +
		job("ordinary", "") + job("early", `assent.dev/wave: "-5"`) + job("late", `assent.dev/wave: "5"`)
	for name, row := range map[string]struct {
		upgrade bool
		want    map[string]string
	}{
		"installed": {want: map[string]string{
			"first": "-8 Always", "second": "-7 Always", "too": "-7 Always", "third": "-6 Always", "after": "7 Always", "chosen": "12 Never",
			"ordinary": " ", "early": "-5 ", "late": "5 ",
		}},
		"upgraded": {upgrade: true, want: map[string]string{
			"first": "-7 Always", "upgrade": "-6 Always", "after": "7 Always", "both": "6 Always", "ordinary": " ", "early": "-5 ", "late": "5 ",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			options := chartOptions()
			options.Chart.Upgrade = row.upgrade
			objects, err := Render(chartOf("templates/a.yaml", hooks), options)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, object := range objects {
				annotations := object.GetAnnotations()
				got[object.GetName()] = annotations["assent.dev/wave"] + " " + annotations["assent.dev/rerun"]
				for annotation := range annotations {
					if strings.HasPrefix(annotation, "helm.sh/") {
						t.Errorf("%s keeps %s", object.GetName(), annotation)
					}
				}
			}
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}

func TestValuesAreReadAsHelmReadsThem(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		want map[string]any
	}{
		"nothing":        {text: "", want: map[string]any{}},
		"a comment":      {text: "# nothing\n", want: map[string]any{}},
		"YAML":           {text: "---\na: 1\nb: {c: [x, true, null]}\n", want: map[string]any{"a": 1.0, "b": map[string]any{"c": []any{"x", true, nil}}}},
		"JSON":           {text: `{"a": 1.5}`, want: map[string]any{"a": 1.5}},
		"anchors in use": {text: "a: &a {x: z}\nb: *a\n", want: map[string]any{"a": map[string]any{"x": "z"}, "b": map[string]any{"x": "z"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseValues("spec.overlay.values", []byte(row.text))
			if err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %v and %v, want %v", got, err, row.want)
			}
		})
	}
	for name, row := range map[string]struct{ text, want string }{
		"a list":          {text: "[a]", want: "must be a map of values and is a list"},
		"a text":          {text: "a", want: "is text"},
		"not YAML":        {text: "a: 1\nb: [c", want: "is not valid YAML"},
		"a key twice":     {text: "a: 1\na: 2\n", want: `has the key "a" twice`},
		"two documents":   {text: "a: 1\n---\nb: 2\n", want: "has 2"},
		"a bomb":          {text: bomb(9), want: "aliases"},
		"too deep":        {text: "a: " + strings.Repeat("[", 65) + strings.Repeat("]", 65), want: "deeper than 64"},
		"too long":        {text: "a: " + strings.Repeat("x", MaxValuesBytes), want: "at most 1048576"},
		"not UTF-8":       {text: "a: \xff", want: "not UTF-8"},
		"an alias of one": {text: "a: &a [*a]\n", want: "valuesFrom"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseValues("spec.overlay.valuesFrom[2]", []byte(row.text))
			expectError(t, err, "`spec.overlay.valuesFrom[2]`", row.want)
		})
	}
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"maps"
	"testing"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"helm.sh/helm/v4/pkg/engine"

	"github.com/assent-dev/assent/internal/source"
)

// Templates of everything that the language has, and of what is easily lost when it is written anew.
var languageFeatures = map[string]string{
	"space around actions":         "a  {{- 1 }} {{ 2 -}}  b {{- /* a comment */ -}} c\n",
	"braces beside actions":        "{ {{- 1 }}} {{`{{`}} }} {{\"}}\"}}{ {{- if true }}{ {{- end }}",
	"values of each kind":          `{{ 1 }} {{ -2 }} {{ 1.50 }} {{ 0x1F }} {{ 'a' }} {{ true }} {{ "q\"\n" }} {{ 1e3 }} {{ 9007199254740993 }}`,
	"fields that are not there":    `[{{ .Values.none }}] [{{ .Values.none | quote }}] [{{ default "d" .Values.none }}] [{{ .Values.map.none }}]`,
	"conditions":                   `{{ if .Values.none }}a{{ else if eq .Values.number 3.0 }}b{{ else }}c{{ end }}{{ if not .Values.none }}d{{ end }}`,
	"with":                         `{{ with .Values.map }}{{ .one }}{{ else }}x{{ end }}{{ with .Values.none }}a{{ else with .Values.map }}{{ .two }}{{ end }}`,
	"loops over lists":             `{{ range .Values.list }}{{ . }},{{ end }}{{ range $i, $e := .Values.list }}{{ $i }}={{ $e }};{{ end }}`,
	"loops over maps":              `{{ range $k, $v := .Values.map }}{{ $k }}={{ $v }};{{ end }}`,
	"loops over nothing":           `{{ range .Values.none }}a{{ else }}nothing{{ end }}`,
	"loops over numbers":           `{{ range 3 }}{{ . }}{{ end }}{{ range until 3 }}{{ . }}{{ end }}`,
	"loops that end early":         `{{ range .Values.list }}{{ if eq . "b" }}{{ continue }}{{ end }}{{ . }}{{ if eq . "c" }}{{ break }}{{ end }}{{ end }}`,
	"variables":                    `{{ $x := 1 }}{{ $x }}{{ $x = 2 }}{{ $x }}{{ if true }}{{ $x = 3 }}{{ end }}{{ $x }}{{ $m := .Values.map }}{{ $m.one }}`,
	"calls in calls":               `{{ printf "%s-%d" (.Values.list | first | upper) (add 1 (len .Values.list)) | quote }}`,
	"fields of calls":              `{{ (index .Values.things 0).name }} {{ (dict "a" (dict "b" "c")).a.b }} {{ (first .Values.things).name | upper }}`,
	"logic that stops early":       `{{ and .Values.none (fail "not reached") }}{{ or "x" (fail "not reached") }}`,
	"templates":                    "{{ define \"t.a\" }}<{{ . }}>{{ end }}{{ template \"t.a\" 1 }}{{ include \"t.a\" 2 }}{{ block \"t.b\" 3 }}({{ . }}){{ end }}{{ template \"t.b\" . }}",
	"a template defined twice":     `{{ define "t.c" }}first{{ end }}`,
	"a template that is all space": "{{ define \"t.c\" }}  \n{{ end }}{{ include \"t.c\" . }}",
	"tpl":                          `{{ tpl "{{ .Values.number }}{{ define \"t.d\" }}x{{ . }}{{ end }}{{ include \"t.d\" 1 }}{{ tpl \"{{ .Values.text }}\" . }}" . }}{{ . | tpl .Values.templated | upper }}`,
	"tpl of what the values have":  `{{ tpl .Values.templated . }}{{ tpl "" . }}{{ tpl (.Values.map | toYaml) $ }}`,
	"YAML, JSON and TOML":          `{{ .Values.map | toYaml | nindent 2 }}{{ toJson .Values }}{{ toPrettyJson .Values.list }}{{ toToml .Values.map }}{{ (fromYaml "a: {b: [1]}").a.b }}{{ fromJson "{\"a\":1.5}" }}{{ fromYamlArray "[1]" }}{{ toYamlPretty .Values.list }}`,
	"what cannot be read":          `{{ fromYaml ": : a" }}{{ (fromJson "x").Error }}`,
	"files":                        `{{ .Files.Get "files/a.txt" }}{{ range $n, $_ := .Files.Glob "files/*" }}{{ $n }}{{ end }}{{ (.Files.Glob "files/*").AsConfig }}{{ range .Files.Lines "files/a.txt" }}{{ . }};{{ end }}`,
	"built-in objects":             `{{ .Release.Name }} {{ .Release.IsInstall }} {{ .Chart.Name }} {{ .Capabilities.KubeVersion }} {{ .Capabilities.KubeVersion.Major }} {{ .Capabilities.APIVersions.Has "v1" }} {{ .Template.Name }} {{ .Capabilities.HelmVersion }}`,
	"versions":                     `{{ semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }} {{ (semver "1.2.3").Minor }} {{ semver "1.2.3" }}`,
	"changes to maps":              `{{ $d := dict "a" 1 }}{{ $_ := set $d "b" .Values.list }}{{ $_ := unset $d "a" }}{{ merge $d (dict "c" 1) | toJson }}{{ deepCopy $d | toJson }}{{ hasKey $d "c" }}`,
	"strings":                      `{{ "a b" | replace " " "-" | trunc 3 | indent 2 }}{{ repeat 3 "ab" }}{{ join "," .Values.list }}{{ splitList "," "a,b" | last }}{{ "x" | b64enc | sha256sum }}{{ cat "a" 1 nil }}{{ print nil }}{{ printf "%5d|%-5s|%v" 3 "a" .Values.map }}`,
	"regular expressions":          `{{ regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W" }}{{ regexMatch "^a" "abc" }}{{ regexFindAll "[0-9]" "1a2b3" -1 }}`,
	"numbers":                      `{{ seq 3 }} {{ seq 1 2 6 }} {{ untilStep 0 10 3 }} {{ add 1 2 3 }} {{ div 7 2 }} {{ max 1 5 3 }} {{ round 1.256 2 }} {{ int "7" }} {{ .Values.number | int }} {{ 3 | toString | kindOf }}`,
	"lists":                        `{{ uniq (list 1 1 2) }} {{ without .Values.list "a" }} {{ has "a" .Values.list }} {{ concat (list 1) (list 2) }} {{ sortAlpha (list "b" "a") }} {{ slice .Values.list 1 2 }} {{ dig "a" "b" "none" (dict "a" (dict "b" "c")) }}`,
	"comparisons":                  `{{ eq 1 1 }} {{ ne "a" "b" }} {{ lt 1 2 }} {{ ge 2.0 1.0 }} {{ eq (len .Values.list) 3 }} {{ eq .Values.text "x" "hello" }} {{ deepEqual (list 1) (list 1) }}`,
	"kinds":                        `{{ kindOf .Values }} {{ typeOf .Values.list }} {{ kindIs "map" .Values.map }} {{ typeOf (until 2) }} {{ kindOf nil }} {{ ternary "a" "b" true }} {{ empty .Values.none }} {{ coalesce .Values.none "" "x" }}`,
	"times that are given":         `{{ dateInZone "2006-01-02" 0 "UTC" }} {{ (toDate "2006-01-02" "2020-02-03").Year }} {{ duration "90" }} {{ durationRound "2h10m" }} {{ unixEpoch (toDate "2006-01-02" "2020-02-03") }}`,
	"required and fail":            `{{ required "must be there" .Values.text }}`,
	"raw strings over lines":       "{{ `a\nb` }}\n{{ print\n  1\n  2 }}",
	"carriage returns":             "a\r\n{{ 1 }}\r\nb\r\n",
	"escaping":                     `{{ html "<a>" }}{{ js "'" }}{{ urlquery "a b" }}{{ quote "a\"b" }}{{ squote "a" }}`,
}

func featureChart() source.Tree {
	tree := chartOf(
		"values.yaml", "number: 3\ntext: hello\nlist: [a, b, c]\nmap: {one: 1, two: zwei}\nthings: [{name: x}]\ntemplated: '{{ .Values.text }} {{ .Release.Name }}'\n",
		"files/a.txt", "one\ntwo\n")
	for name, text := range languageFeatures {
		tree["templates/"+name] = []byte(text)
	}
	return tree
}

// Everything but times in zones: those are of the machine in Helm.
func TestMeteringChangesNothingThatTemplatesMean(t *testing.T) {
	plain, err := loadChart(featureChart(), "")
	if err != nil {
		t.Fatal(err)
	}
	metered, err := prepareChart(featureChart(), "")
	if err != nil {
		t.Fatal(err)
	}
	setting, err := chartSetting(metered, *chartOptions().Chart)
	if err != nil {
		t.Fatal(err)
	}
	got, err := setting.render()
	if err != nil {
		t.Fatal(err)
	}
	top := maps.Clone(setting.top)
	if top["Values"], err = setting.ownValues(); err != nil {
		t.Fatal(err)
	}
	want, err := engine.Render(plain, top)
	if err != nil {
		t.Fatal(err)
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: got\n%q, want\n%q", name, got[name], want[name])
		}
	}
	if len(got) != len(languageFeatures) {
		t.Errorf("got %d templates, want %d", len(got), len(languageFeatures))
	}
}

func TestEveryFunctionOfHelmIsThere(t *testing.T) {
	used := newMeter(0, farAway)
	functions := used.functions()
	for name := range sprig.TxtFuncMap() {
		if _, found := functions[name]; !found && !contains(functionsOfHelm, name) && name != "fail" {
			t.Errorf("%s is missing", name)
		}
	}
	// As templates do: a function of a wrong form panics.
	template.New("x").Funcs(functions)
}

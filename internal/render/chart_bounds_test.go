// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-dev/assent/internal/source"
)

var farAway = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)

func contains(all []string, one string) bool { return slices.Contains(all, one) }

func TestChartsThatTakeTooMuchAreEnded(t *testing.T) {
	const doubling = `{{ $x := "0123456789abcdef" }}{{ range until 60 }}{{ $x = %s }}{{ end }}`
	for name, row := range map[string]struct {
		text string
		want string
	}{
		"a loop in a loop in a loop":            {text: strings.Repeat(`{{ range until 5000 }}`, 4) + strings.Repeat(`{{ end }}`, 4), want: "500000 steps"},
		"a loop of a billion":                   {text: `{{ range 1000000000 }}{{ end }}`, want: "500000 steps"},
		"a list of a billion":                   {text: `{{ until 1000000000 | len }}`, want: "`until` would make more"},
		"a list of a billion, backwards":        {text: `{{ untilStep 0 -1000000000 -1 | len }}`, want: "`untilStep` would make more"},
		"a list from end to end":                {text: `{{ untilStep -9223372036854775807 9223372036854775807 1 | len }}`, want: "`untilStep` would make more"},
		"numbers up to a billion":               {text: `{{ seq 1000000000 | len }}`, want: "`seq` would make more"},
		"numbers in steps":                      {text: `{{ seq 0 1 1000000000 | len }}`, want: "`seq` would make more"},
		"a text repeated":                       {text: `{{ repeat 1000000000 "ab" | len }}`, want: "`repeat` would make more"},
		"a text repeated beyond all numbers":    {text: `{{ repeat 9223372036854775807 "ab" | len }}`, want: "`repeat` would make more"},
		"an indentation of a billion":           {text: `{{ indent 1000000000 "ab" | len }}`, want: "`indent` would make more"},
		"a replacement of each letter":          {text: `{{ $x := repeat 20000 "a" }}{{ replace "a" $x $x | len }}`, want: "`replace` would make more"},
		"a replacement by expression":           {text: `{{ $x := repeat 20000 "a" }}{{ regexReplaceAll "a" $x $x | len }}`, want: "`regexReplaceAll` would make more"},
		"a long expression on a long text":      {text: `{{ $x := repeat 100000 "a?" }}{{ range until 100 }}{{ regexMatch $x $x }}{{ end }}`, want: "500000 steps"},
		"a separator that is long":              {text: `{{ $x := repeat 20000 "a" }}{{ join $x (until 20000) | len }}`, want: "`join` would make more"},
		"a wide number":                         {text: `{{ $f := repeat 1000 "%900000d" }}{{ printf $f 1 | len }}`, want: "`printf` would make more"},
		"a wide number by a star":               {text: `{{ printf (repeat 1000 "%*d") 900000 1 | len }}`, want: "`printf` would make more"},
		"a text that doubles by printf":         {text: fmt.Sprintf(doubling, `printf "%s%s" $x $x`), want: "bytes"},
		"a text that doubles by print":          {text: fmt.Sprintf(doubling, `print $x $x`), want: "bytes"},
		"a text that doubles by cat":            {text: fmt.Sprintf(doubling, `cat $x $x`), want: "bytes"},
		"a text that doubles by a list":         {text: fmt.Sprintf(doubling, `list $x $x | join ""`), want: "bytes"},
		"a text that doubles by YAML":           {text: fmt.Sprintf(doubling, `list $x $x | toYaml`), want: "bytes"},
		"a text that doubles by tpl":            {text: fmt.Sprintf(doubling, `tpl (print $x $x) .`), want: "a template of"},
		"a text that doubles by quoting":        {text: fmt.Sprintf(doubling, `quote $x $x`), want: "bytes"},
		"a list that doubles":                   {text: `{{ $x := list 1 2 3 }}{{ range until 60 }}{{ $x = concat $x $x }}{{ end }}`, want: "bytes"},
		"a list of itself twice, printed":       {text: `{{ $x := list 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ $x }}`, want: "value"},
		"a list of itself twice, as YAML":       {text: `{{ $x := list 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ toYaml $x | len }}`, want: "value"},
		"a list of itself twice, piped":         {text: `{{ $x := list 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ $x | toJson | len }}`, want: "value"},
		"a map that holds itself, printed":      {text: `{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ $x }}`, want: "holds itself"},
		"a map that holds itself, as YAML":      {text: `{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ toYamlPretty $x }}`, want: "holds itself"},
		"a map that holds itself, as TOML":      {text: `{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ $x | toToml }}`, want: "holds itself"},
		"a map that holds itself, as a text":    {text: `{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ toString $x }}`, want: "holds itself"},
		"a map that holds itself, as a key":     {text: `{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ dict $x 1 | len }}`, want: "holds itself"},
		"a map that holds itself, copied":       {text: `{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ deepCopy $x | len }}`, want: "holds itself"},
		"a map that holds itself, merged":       {text: `{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ merge (dict) $x | len }}`, want: "holds itself"},
		"a map that holds itself, by merging":   {text: `{{ $x := dict }}{{ $_ := merge $x (dict "x" $x) }}{{ print $x }}`, want: "holds itself"},
		"a template that includes itself":       {text: `{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`, want: "includes itself"},
		"a template that calls itself":          {text: `{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`, want: "includes itself"},
		"templates that include each other":     {text: `{{ define "a" }}{{ include "b" . }}{{ end }}{{ define "b" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`, want: "includes itself"},
		"a text that is its own template":       {text: `{{ $_ := set . "t" "{{ tpl .t . }}" }}{{ tpl .t . }}`, want: "includes itself"},
		"a tree of templates":                   {text: tree(30, "x"), want: "steps"},
		"a tree of templates that print":        {text: tree(30, strings.Repeat("x", 4000)), want: "bytes"},
		"a tree of templates that are called":   {text: strings.ReplaceAll(tree(15, strings.Repeat("x", 5000)), "include", "template"), want: "bytes of text"},
		"a text in a loop in a loop":            {text: strings.Repeat(`{{ range until 600 }}`, 2) + strings.Repeat("x", 500) + strings.Repeat(`{{ end }}`, 2), want: "bytes of text"},
		"a text that is long":                   {text: `{{ repeat 9000000 "a" | len }}`, want: "a value of 9000000 bytes"},
		"a meter that is turned back":           {text: `{{ define "a" }}{{ assent_leave }}{{ template "a" . }}{{ end }}{{ template "a" . }}`, want: "the chart calls `assent_…`"},
		"a meter that is turned back by tpl":    {text: `{{ tpl "{{ 1 | assent_step }}" . }}`, want: "the chart calls `assent_…`"},
		"a value that is printed very often":    {text: `{{ $x := repeat 100000 "abcdefghij" }}{{ range until 1000 }}{{ $x }}{{ end }}`, want: "bytes of text"},
		"texts that are long and print nothing": {text: `{{ $x := printf "{{/*%s*/}}" (repeat 1000000 "x") }}{{ range until 200 }}{{ tpl $x $ }}{{ end }}`, want: "bytes of text"},
		"a list of what points to more":         {text: `{{ $x := list .Capabilities }}{{ range until 16 }}{{ $x = concat $x $x }}{{ end }}{{ toYaml $x | len }}`, want: "more than 500000 parts"},
		"a list that is large":                  {text: `{{ $x := repeat 8000000 "a" }}{{ list $x $x $x $x $x | toYaml | len }}`, want: "`toYaml` would make more"},
		"a map that is large":                   {text: `{{ $x := repeat 8000000 "a" }}{{ dict "a" $x "b" $x "c" $x "d" $x "e" $x | toYaml | len }}`, want: "`toYaml` would make more"},
		"a YAML list that is long":              {text: `{{ fromYamlArray (repeat 3000000 "a") }}`, want: "`fromYamlArray` is given"},
		"JSON that is long":                     {text: `{{ fromJson (repeat 3000000 "a") }}`, want: "`fromJson` is given"},
		"a JSON list that is long":              {text: `{{ fromJsonArray (repeat 3000000 "a") }}`, want: "`fromJsonArray` is given"},
		"TOML that is long":                     {text: `{{ fromToml (repeat 3000000 "a") }}`, want: "`fromToml` is given"},
		"YAML that is long":                     {text: `{{ fromYaml (repeat 3000000 "a") }}`, want: "`fromYaml` is given"},
		"a list compared with itself":           {text: `{{ range until 1000 }}{{ uniq (until 2000) | len }}{{ end }}`, want: "steps"},
		"a random text of a billion":            {text: `{{ randAlphaNum 1000000000 }}`, want: "`randAlphaNum` is asked for"},
		"passwords that are slow to make":       {text: `{{ range until 1000 }}{{ derivePassword 1 "long" "a" "b" "c" }}{{ end }}`, want: "steps"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			started := time.Now()
			_, err := Render(templated(row.text), chartOptions())
			expectError(t, err, row.want)
			runtime.ReadMemStats(&after)
			if took := time.Since(started); took > chartTime {
				t.Errorf("it took %s", took)
			}
			if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > 4096 {
				t.Errorf("it took %d MiB", made)
			}
			if !strings.Contains(err.Error(), "shop/templates/a.yaml") {
				t.Errorf("the message %q does not name the template", err)
			}
		})
	}
}

// tree of templates, each of which includes the one below it twice.
func tree(levels int, leaf string) string {
	var text strings.Builder
	for i := range levels {
		fmt.Fprintf(&text, `{{ define "a%d" }}{{ include "a%d" . }}{{ include "a%d" . }}{{ end }}`, i+1, i, i)
	}
	fmt.Fprintf(&text, `{{ define "a0" }}%s{{ end }}{{ include "a%d" . }}`, leaf, levels)
	return text.String()
}

func TestAChartThatIsSlowIsEnded(t *testing.T) {
	used := newMeter(0, time.Now())
	err := used.spendSteps(1)
	expectError(t, err, "longer than 30s", "make it smaller")
}

// archived files, as a vendored chart is.
func archived(t *testing.T, folder string, namesAndContents ...string) string {
	t.Helper()
	return zipped(t, tarred(t, filesIn(folder, namesAndContents...)...))
}

// archivedFile is an entry of a test archive, which is an ordinary file if it says nothing else.
type archivedFile struct {
	tar.Header
	content string
}

func filesIn(folder string, namesAndContents ...string) []archivedFile {
	var files []archivedFile
	for i := 0; i < len(namesAndContents); i += 2 {
		files = append(files, archivedFile{Header: tar.Header{Name: folder + namesAndContents[i]}, content: namesAndContents[i+1]})
	}
	return files
}

func tarred(t *testing.T, files ...archivedFile) string {
	t.Helper()
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	for _, file := range files {
		header := file.Header
		if header.Typeflag == 0 {
			header.Typeflag = tar.TypeReg
		}
		if header.Typeflag != tar.TypeXGlobalHeader {
			header.Mode, header.Size = 0o600, int64(len(file.content))
		}
		if err := writer.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Write([]byte(file.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

func TestVendoredArchivesAreRendered(t *testing.T) {
	inner := archived(t, "inner/", "Chart.yaml", "apiVersion: v2\nname: inner\nversion: 1.0.0\n", "templates/a.yaml", strings.ReplaceAll(configMap, "web", "inner"))
	outer := archived(t, "outer/", "Chart.yaml", "apiVersion: v2\nname: outer\nversion: 1.0.0\n", "templates/a.yaml", strings.ReplaceAll(configMap, "web", "outer"),
		"charts/inner-1.0.0.tgz", inner)
	objects, err := Render(chartOf("charts/outer-1.0.0.tgz", outer, "charts/outer-1.0.0.tgz.prov", "signed"), chartOptions())
	if err != nil {
		t.Fatal(err)
	}
	if got := names(objects); len(got) != 2 || got[0] != "ConfigMap/inner" || got[1] != "ConfigMap/outer" {
		t.Errorf("got %v", got)
	}
}

func TestAnArchiveMayHaveWhatToolsPutThere(t *testing.T) {
	packed := zipped(t, tarred(t, append([]archivedFile{
		{Header: tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "x"}}},
		{Header: tar.Header{Typeflag: tar.TypeDir, Name: "db/"}}, {Header: tar.Header{Typeflag: tar.TypeDir, Name: "db/templates/"}},
	}, filesIn("db/", "Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n", "templates/a.yaml", configMap)...)...))
	objects, err := Render(chartOf("charts/db.tgz", packed, "charts/_db.tgz", "kept beside", "charts/.db.tgz", "hidden", "files/data.tgz", "no chart"), chartOptions())
	if err != nil {
		t.Fatal(err)
	}
	if got := names(objects); len(got) != 1 || got[0] != "ConfigMap/web" {
		t.Errorf("got %v", got)
	}
}

func TestVendoredArchivesAreBounded(t *testing.T) {
	large := strings.Repeat("x", 20<<20)
	nested := archived(t, "a/", "Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n")
	for range maxChartDepth + 1 {
		nested = archived(t, "a/", "Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n", "charts/a.tgz", nested)
	}
	const own = "apiVersion: v2\nname: db\nversion: 1.0.0\n"
	cut := tarred(t, filesIn("db/", "Chart.yaml", own, "charts/inner.tgz", strings.Repeat("x", 5000))...)[:4000]
	folders := strings.Repeat("charts/a/", maxChartDepth+1)
	many := chartOf()
	for i := range maxChartFiles {
		many[fmt.Sprintf("files/%d", i)] = nil
	}
	for name, row := range map[string]struct {
		files source.Tree
		want  []string
	}{
		"one that is no archive":        {files: chartOf("charts/db.tgz", "x"), want: []string{`"charts/db.tgz"`, "cannot be unpacked", "helm dependency build"}},
		"one that is large":             {files: chartOf("charts/db.tgz", archived(t, "db/", "Chart.yaml", own, "x", large, "y", large)), want: []string{"is too large"}},
		"several that are large":        {files: chartOf("charts/a.tgz", archived(t, "a/", "x", large), "charts/b.tgz", archived(t, "b/", "x", large)), want: []string{"is too large"}},
		"archives in archives":          {files: chartOf("charts/a.tgz", nested), want: []string{"it lies in more than 16 archives"}},
		"folders in folders":            {files: chartOf(folders+"Chart.yaml", own), want: []string{"has more than 16 charts in charts"}},
		"many files":                    {files: many, want: []string{"10000 files", "take out what is not needed"}},
		"large files":                   {files: chartOf("a", large, "b", large), want: []string{"more than 33554432 bytes", "take out what is not needed"}},
		"large values":                  {files: chartOf("values.yaml", strings.Repeat("#", maxChartYAMLBytes+1)), want: []string{`"values.yaml"`, "more than 1048576 bytes"}},
		"one that is no archive within": {files: chartOf("charts/db.tgz", zipped(t, "x")), want: []string{`"charts/db.tgz"`, "cannot be unpacked"}},
		"one that breaks off":           {files: chartOf("charts/db.tgz", zipped(t, cut)), want: []string{`"charts/db.tgz"`, "cannot be unpacked"}},
		"one with a link":               {files: chartOf("charts/db.tgz", zipped(t, tarred(t, archivedFile{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: "db/x", Linkname: "/etc/passwd"}}))), want: []string{`"db/x" is no ordinary file`}},
		"one with a backslash":          {files: chartOf("charts/db.tgz", archived(t, "db/", "Chart.yaml", own, `..\..\x`, "x")), want: []string{"is not inside of one folder"}},
		"one that leads out":            {files: chartOf("charts/db.tgz", archived(t, "../", "Chart.yaml", own)), want: []string{"is not inside of one folder"}},
		"one that leads out further in": {files: chartOf("charts/db.tgz", archived(t, "db/../../", "Chart.yaml", own)), want: []string{"is not inside of one folder"}},
		"one from the root":             {files: chartOf("charts/db.tgz", archived(t, "/db/", "Chart.yaml", own)), want: []string{"is not inside of one folder"}},
		"one without a folder":          {files: chartOf("charts/db.tgz", archived(t, "", "Chart.yaml", own)), want: []string{"is not inside of one folder"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Render(row.files, chartOptions())
			expectError(t, err, row.want...)
		})
	}
}

func TestChartsThatMultiplyAreBounded(t *testing.T) {
	aliases := func(name string) string {
		var text strings.Builder
		text.WriteString("dependencies:\n")
		for i := range 20 {
			fmt.Fprintf(&text, "- {name: %s, version: 1.0.0, alias: %s%d}\n", name, name, i)
		}
		return text.String()
	}
	tree := chartOf(
		"charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"+aliases("c"),
		"charts/b/charts/c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n",
	)
	tree["Chart.yaml"] = append(tree["Chart.yaml"], aliases("b")...)
	_, err := Render(tree, chartOptions())
	expectError(t, err, "uses more than 256 charts")
}

func TestManyChartsThatAreUsedOnceAreNoneTooMany(t *testing.T) {
	tree := chartOf("templates/a.yaml", configMap)
	uses := "dependencies:\n"
	for i := range 20 {
		uses += fmt.Sprintf("- {name: c%d, version: 1.0.0}\n", i)
		tree[fmt.Sprintf("charts/c%d/Chart.yaml", i)] = fmt.Appendf(nil, "apiVersion: v2\nname: c%d\nversion: 1.0.0\n", i)
	}
	tree["Chart.yaml"] = append(tree["Chart.yaml"], uses...)
	if _, err := Render(tree, chartOptions()); err != nil {
		t.Error(err)
	}
}

// Helm keeps charts in charts in maps, which are in another order each time.
func TestOfManyMistakesTheSameOneIsNamedEachTime(t *testing.T) {
	tree := chartOf("charts/a/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n")
	for _, name := range []string{"b", "c", "d", "e", "f", "g"} {
		tree["charts/a/charts/"+name+"/Chart.yaml"] = fmt.Appendf(nil, "apiVersion: v2\nname: %s\nversion: 1.0.0\n", name)
		tree["charts/a/charts/"+name+"/templates/x.yaml"] = []byte("{{ if }}")
	}
	for range 20 {
		_, err := Render(tree, chartOptions())
		expectError(t, err, `"shop/charts/a/charts/b/templates/x.yaml"`)
	}
}

func TestALineInAMessageIsThatOfTheTemplate(t *testing.T) {
	text := "# 1\n{{- /* a comment\nover lines */ -}}\n# 4\n{{- if true }}\n# 6\n{{- end }}\n{{ define \"a\" -}}\n# 9\n{{- end }}\n\n\n{{ fail \"here\" }}\n"
	_, err := Render(chartOf("templates/a.yaml", text), chartOptions())
	expectError(t, err, "a.yaml:13", "here")
	if strings.Contains(err.Error(), "assent_") {
		t.Errorf("the message %q shows what nobody has written", err)
	}
}

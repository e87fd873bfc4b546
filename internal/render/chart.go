// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"

	"helm.sh/helm/v4/pkg/chart/common"
	helmvalues "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"

	"github.com/assent-dev/assent/internal/source"
)

// CheckChart makes sure that a tree is a chart that can be loaded, and that its templates can be read. What it renders depends on values and on a
// cluster, and is not looked at. Every error is an [*Error].
func CheckChart(tree source.Tree) error {
	_, err := prepareChart(tree, "")
	return err
}

// prepareChart loads a chart and has its templates metered.
func prepareChart(tree source.Tree, wanted string) (chart *helmchart.Chart, err error) {
	// A mistake in somebody's chart that Helm does not expect must not take the operator down.
	defer recoverChart(&err)
	if chart, err = loadChart(tree, wanted); err != nil {
		return nil, err
	}
	return chart, eachChart(chart, func(one *helmchart.Chart) error {
		for _, file := range one.Templates {
			name := templateName(one, file)
			metered, err := meteredTemplate(name, string(file.Data))
			if err != nil {
				return &Error{File: name, Message: fmt.Sprintf("is not a template (%s): correct it, `helm lint` shows the same", chartMessage(err))}
			}
			file.Data = []byte(metered)
		}
		return nil
	})
}

func recoverChart(err *error) {
	if broken := recover(); broken != nil {
		*err = &Error{Message: fmt.Sprintf("Helm cannot render the chart (it broke off: %s): correct the chart", short(fmt.Sprint(broken)))}
	}
}

// renderChart returns the objects of a chart, with its hooks as objects of waves.
func renderChart(tree source.Tree, wanted string, options Chart) (found []located, err error) {
	defer recoverChart(&err)
	chart, err := prepareChart(tree, wanted)
	if err != nil {
		return nil, err
	}
	setting, err := chartSetting(chart, options)
	if err != nil {
		return nil, err
	}
	rendered, err := setting.render()
	if err != nil {
		return nil, err
	}
	objects, err := chartObjects(rendered)
	if err != nil {
		return nil, err
	}
	objects, err = placeHooks(objects, options.Upgrade)
	if err != nil {
		return nil, err
	}
	definitions, err := chartDefinitions(chart)
	if err != nil {
		return nil, err
	}
	if len(objects)+len(definitions) == 0 {
		return nil, &Error{Message: fmt.Sprintf("chart %q renders no object with these values: correct `spec.overlay.values`, or the chart", chart.Name())}
	}
	placeDefinitions(definitions, objects)
	return append(definitions, objects...), nil
}

// setting is all that a chart is rendered with.
type setting struct {
	chart *helmchart.Chart
	// top is what templates see, without their values.
	top common.Values
	// values as JSON: templates may change what they are given.
	values []byte
}

func chartSetting(chart *helmchart.Chart, options Chart) (*setting, error) {
	capabilities, err := options.Capabilities.forHelm()
	if err != nil {
		return nil, err
	}
	file := path.Join(chart.Name(), chartFile)
	if wanted := chart.Metadata.KubeVersion; wanted != "" && !util.IsCompatibleRange(wanted, capabilities.KubeVersion.String()) {
		return nil, &Error{File: file, Message: fmt.Sprintf("needs Kubernetes %s and the cluster has %s: take another version of the chart, or of the cluster",
			short(wanted), capabilities.KubeVersion.String())}
	}
	values, err := mergeValues(options.Values)
	if err != nil {
		return nil, err
	}
	if err := util.ProcessDependencies(chart, values); err != nil {
		return nil, &Error{File: file, Message: fmt.Sprintf("its dependencies cannot be resolved (%s): correct the chart, or its values", chartMessage(err))}
	}
	if err := checkVendored(chart); err != nil {
		return nil, err
	}
	// Helm's own validation fetches what a schema refers to.
	const skipSchema = true
	top, err := helmvalues.ToRenderValuesWithSchemaValidation(chart, values, common.ReleaseOptions{
		Name: options.ReleaseName, Namespace: options.Namespace, Revision: 1, IsInstall: !options.Upgrade, IsUpgrade: options.Upgrade,
	}, capabilities, skipSchema)
	if err != nil {
		return nil, &Error{File: file, Message: fmt.Sprintf("its values cannot be merged (%s): correct `spec.overlay.values`", chartMessage(err))}
	}
	merged, err := json.Marshal(top["Values"])
	if err != nil {
		return nil, &Error{File: file, Message: fmt.Sprintf("its values are no JSON (%s): correct `spec.overlay.values`", chartMessage(err))}
	}
	result := &setting{chart: chart, top: top, values: merged}
	plain, err := result.ownValues()
	if err != nil {
		return nil, err
	}
	return result, checkSchemas(chart, plain)
}

func (c Capabilities) forHelm() (*common.Capabilities, error) {
	version, err := common.ParseKubeVersion(c.KubeVersion)
	if err != nil {
		return nil, &Error{Message: fmt.Sprintf("the cluster's version %q is none that Helm can read (%s): look at its `/version`", short(c.KubeVersion), short(err.Error()))}
	}
	served := slices.Clone(c.APIVersions)
	slices.Sort(served)
	return &common.Capabilities{
		KubeVersion: *version, APIVersions: slices.Compact(served), HelmVersion: common.DefaultCapabilities.HelmVersion,
	}, nil
}

func (s *setting) ownValues() (common.Values, error) {
	var own common.Values
	decoder := json.NewDecoder(bytes.NewReader(s.values))
	if err := decoder.Decode(&own); err != nil {
		return nil, &Error{Message: fmt.Sprintf("the chart's values are no JSON (%s): correct `spec.overlay.values`", short(err.Error()))}
	}
	return own, nil
}

// render all files. Where functions were called that answer differently each time, it renders them once more and compares.
func (s *setting) render() (map[string]string, error) {
	deadline := time.Now().Add(chartTime)
	rendered, used, err := s.once(0, deadline)
	if err != nil || len(used.varying) == 0 {
		return rendered, err
	}
	again, _, err := s.once(1, deadline)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if rendered[name] == again[name] {
			continue
		}
		functions := used.varied(name)
		return nil, &Error{File: name, Message: fmt.Sprintf("is different each time it is rendered, since it uses %s: nobody could approve what will run. "+
			"Set the value that it makes up in `spec.overlay.values`, or let the chart use a Secret that exists", quotedList(functions))}
	}
	return rendered, nil
}

// once renders all files but notes for people.
func (s *setting) once(run int, deadline time.Time) (map[string]string, *meter, error) {
	values, err := s.ownValues()
	if err != nil {
		return nil, nil, err
	}
	top := maps.Clone(s.top)
	top["Values"] = values
	used := newMeter(run, deadline)
	helm := engine.Engine{CustomTemplateFuncs: used.functions()}
	rendered, err := helm.RenderWithContext(context.Background(), s.chart, top)
	switch {
	case used.stopped != nil:
		return nil, nil, used.stopped
	case err != nil:
		return nil, nil, &Error{File: used.template, Message: fmt.Sprintf("cannot be rendered (%s): correct `spec.overlay.values`, or the chart", chartMessage(err))}
	}
	maps.DeleteFunc(rendered, func(name, _ string) bool { return path.Base(name) == "NOTES.txt" })
	return rendered, used, nil
}

// What the meter has written into a template, and columns that are others since.
var (
	meterPattern  = regexp.MustCompile(`\{\{-? *\n*assent_[^}]*\}\}| \| assent_[a-z.]*( ?"[A-Za-z]*"?)?`)
	columnPattern = regexp.MustCompile(`(\.[a-z]+:\d+):\d+`)
)

// chartMessage is a message of Helm's without what only this package knows.
func chartMessage(err error) string {
	text := meterPattern.ReplaceAllString(err.Error(), "")
	return buildMessage(errors.New(columnPattern.ReplaceAllString(text, "$1")))
}

// chartObjects reads what was rendered, in the order of the templates' names.
func chartObjects(rendered map[string]string) ([]located, error) {
	var found []located
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		content := rendered[name]
		if strings.TrimSpace(content) == "" {
			continue
		}
		objects, err := parseFile(name, []byte(content))
		if err != nil {
			return nil, withoutLine(err) // it would be a line of the output, which nobody has
		}
		for i := range objects {
			objects[i].place.line = 0
		}
		if found = append(found, objects...); len(found) > MaxObjects {
			return nil, tooManyObjects(name)
		}
	}
	return found, nil
}

// chartDefinitions are the objects in crds/, which are no templates.
func chartDefinitions(chart *helmchart.Chart) ([]located, error) {
	var found []located
	files := chart.CRDObjects()
	slices.SortStableFunc(files, func(a, b helmchart.CRD) int { return strings.Compare(a.Filename, b.Filename) })
	for _, file := range files {
		objects, err := parseFile(file.Filename, file.File.Data)
		if err != nil {
			return nil, err
		}
		if found = append(found, objects...); len(found) > MaxObjects {
			return nil, tooManyObjects(file.Filename)
		}
	}
	return found, nil
}

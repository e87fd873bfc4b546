// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"github.com/assent-dev/assent/internal/source"
)

// Bounds of one chart with all that it depends on.
const (
	// maxChartBytes of its files, after the archives in charts/ are unpacked.
	maxChartBytes = 32 << 20
	maxChartFiles = 10_000
	// maxChartDepth of charts in charts.
	maxChartDepth = 16
	// maxCharts counts a chart as often as it is used: one that is used three times by one that is used three times counts nine times.
	maxCharts = 256
	// maxTemplateBytes of one template. Its nesting, and with it the stack that it takes, is bounded by it.
	maxTemplateBytes = 1 << 20
	// maxChartYAMLBytes of one file that Helm reads as YAML itself, such as values.yaml.
	maxChartYAMLBytes = 1 << 20
)

const chartFile = "Chart.yaml"

// loadChart reads a chart from the files of a tree, with the charts that are vendored in its charts/ folder, and nothing from anywhere else.
func loadChart(tree source.Tree, wanted string) (*helmchart.Chart, error) {
	root, err := chartFolder(tree, wanted)
	if err != nil {
		return nil, err
	}
	files := chartFiles{}
	for _, name := range tree.Paths() {
		inside, isBelow := below(name, root)
		if !isBelow {
			continue
		}
		if err := files.add(inside, tree[name], 0); err != nil {
			return nil, err
		}
	}
	if err := files.check(); err != nil {
		return nil, err
	}
	chart, err := loader.LoadFiles(files.files)
	if err != nil {
		return nil, &Error{File: path.Join(root, chartFile), Message: fmt.Sprintf("is not a chart that Helm can load (%s): correct it, `helm lint` shows the same", buildMessage(err))}
	}
	if strings.EqualFold(chart.Metadata.Type, "library") {
		return nil, &Error{File: path.Join(root, chartFile), Message: fmt.Sprintf("chart %q is a library, which has no objects of its own: name the chart that uses it", chart.Name())}
	}
	if uses := countCharts(chart); uses > maxCharts {
		return nil, &Error{File: path.Join(root, chartFile), Message: fmt.Sprintf("uses more than %d charts, each counted as often as it is used: use fewer", maxCharts)}
	}
	sortDependencies(chart)
	return chart, nil
}

// chartFolder finds the chart: in the folder that was asked for, or in the only folder there, as chart archives have it.
func chartFolder(tree source.Tree, wanted string) (string, error) {
	root, err := cleanPath(wanted)
	if err != nil {
		return "", err
	}
	if _, found := tree[path.Join(root, chartFile)]; found {
		return root, nil
	}
	var folders []string
	for _, name := range tree.Paths() {
		inside, isBelow := below(name, root)
		if folder, file, _ := strings.Cut(inside, "/"); isBelow && file == chartFile {
			folders = append(folders, path.Join(root, folder))
		}
	}
	if len(folders) != 1 {
		return "", &Error{Message: fmt.Sprintf("no chart was found: there must be a %s at the root of the source, which has %s", chartFile, topLevel(tree))}
	}
	return folders[0], nil
}

// chartFiles are the files of a chart, with archives unpacked in their place.
type chartFiles struct {
	files []*archive.BufferedFile
	bytes int
}

var errChartSize = errors.New("is too large")

// add a file. An archive in charts/ becomes a folder of its name, so that Helm unpacks none itself: it would allow 100 MiB for each.
func (c *chartFiles) add(name string, content []byte, depth int) error {
	if isArchivedChart(name) {
		err := c.unpack(name, content, depth+1)
		if inner := (*Error)(nil); errors.As(err, &inner) {
			return inner
		}
		if err != nil {
			return &Error{File: name, Message: fmt.Sprintf("cannot be unpacked as a chart (%s): package the chart again with `helm dependency build`", buildMessage(err))}
		}
		return nil
	}
	if c.bytes += len(content); c.bytes > maxChartBytes || len(c.files) >= maxChartFiles {
		return &Error{File: name, Message: fmt.Sprintf(
			"the chart and those in charts/ have more than %d bytes or %d files: take out what is not needed", maxChartBytes, maxChartFiles)}
	}
	c.files = append(c.files, &archive.BufferedFile{Name: name, Data: bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))})
	return nil
}

func isArchivedChart(name string) bool {
	folder, base := path.Split(name)
	return path.Ext(base) == ".tgz" && path.Base(path.Clean(folder)) == "charts" && strings.IndexAny(base, "_.") != 0
}

func (c *chartFiles) unpack(name string, content []byte, depth int) error {
	if depth > maxChartDepth {
		return fmt.Errorf("it lies in more than %d archives", maxChartDepth)
	}
	stream, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return err
	}
	// One byte more than is allowed shows that there is more. What the headers say about sizes is not believed.
	reader := tar.NewReader(io.LimitReader(stream, int64(maxChartBytes-c.bytes)+1<<20))
	for {
		header, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case header.Typeflag == tar.TypeDir, header.Typeflag == tar.TypeXGlobalHeader:
			continue
		case header.Typeflag != tar.TypeReg:
			return fmt.Errorf("%q is no ordinary file", short(header.Name))
		}
		_, inside, isBelow := strings.Cut(path.Clean(header.Name), "/")
		if !isBelow || path.IsAbs(header.Name) || strings.HasPrefix(path.Clean(header.Name), "../") || strings.Contains(header.Name, "\\") {
			return fmt.Errorf("%q is not inside of one folder", short(header.Name))
		}
		file, err := io.ReadAll(io.LimitReader(reader, int64(maxChartBytes-c.bytes)+1))
		if err != nil {
			return err
		}
		if c.bytes+len(file) > maxChartBytes {
			return errChartSize
		}
		if err := c.add(path.Join(strings.TrimSuffix(name, ".tgz"), inside), file, depth); err != nil {
			return err
		}
	}
}

// check the files that Helm reads itself, before it does.
func (c *chartFiles) check() error {
	for _, file := range c.files {
		if strings.Count(file.Name, "charts/") > maxChartDepth {
			return &Error{File: file.Name, Message: fmt.Sprintf("has more than %d charts in charts: use fewer", maxChartDepth)}
		}
		switch base := path.Base(file.Name); {
		case strings.Contains("/"+file.Name, "/templates/"):
			if len(file.Data) > maxTemplateBytes {
				return &Error{File: file.Name, Message: fmt.Sprintf("is a template of more than %d bytes: split it, or keep the data in a file outside of templates/", maxTemplateBytes)}
			}
		case slices.Contains([]string{chartFile, "values.yaml", "Chart.lock", "requirements.yaml", "requirements.lock", "values.schema.json"}, base):
			if len(file.Data) > maxChartYAMLBytes {
				return &Error{File: file.Name, Message: fmt.Sprintf("has more than %d bytes: make it smaller", maxChartYAMLBytes)}
			}
			if path.Ext(base) == ".json" {
				continue
			}
			if err := checkLenient(file.Name, file.Data); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLenient makes sure that YAML can be read at a bounded cost. What Helm lets pass, such as a key that is there twice, passes.
func checkLenient(name string, content []byte) error {
	for _, doc := range splitDocuments(name, content) {
		if err := doc.checkNodes(anyKeys); err != nil {
			return err
		}
	}
	return nil
}

// countCharts counts charts as often as they are rendered, as far as that matters.
func countCharts(chart *helmchart.Chart) int {
	count := 1
	for _, child := range chart.Dependencies() {
		uses := 0
		for _, dependency := range chart.Metadata.Dependencies {
			if dependency.Name == child.Name() {
				uses++
			}
		}
		count = min(count+max(uses, 1)*countCharts(child), maxCharts+1)
	}
	return count
}

// sortDependencies brings what Helm has read from a map into an order that stays the same.
func sortDependencies(chart *helmchart.Chart) {
	children := slices.Clone(chart.Dependencies())
	slices.SortFunc(children, func(a, b *helmchart.Chart) int {
		return strings.Compare(a.Name()+"\n"+a.Metadata.Version, b.Name()+"\n"+b.Metadata.Version)
	})
	chart.SetDependencies(children...)
	for _, child := range children {
		sortDependencies(child)
	}
}

// checkVendored makes sure that each chart that is used is there. What is turned off by a condition or a tag need not be.
func checkVendored(chart *helmchart.Chart) error {
	vendored := map[string]bool{}
	for _, child := range chart.Dependencies() {
		vendored[child.Name()] = true
	}
	for _, dependency := range chart.Metadata.Dependencies {
		if !vendored[dependency.Name] {
			return &Error{File: path.Join(chart.ChartFullPath(), chartFile), Message: fmt.Sprintf(
				"needs chart %q in version %q, which is not in charts/, and nothing is fetched while rendering: run `helm dependency build` before the chart is packaged",
				short(dependency.Name), short(dependency.Version))}
		}
	}
	for _, child := range chart.Dependencies() {
		if err := checkVendored(child); err != nil {
			return err
		}
	}
	return nil
}

// eachChart visits a chart and those that it has loaded, each once.
func eachChart(chart *helmchart.Chart, visit func(*helmchart.Chart) error) error {
	if err := visit(chart); err != nil {
		return err
	}
	for _, child := range chart.Dependencies() {
		if err := eachChart(child, visit); err != nil {
			return err
		}
	}
	return nil
}

// templateName is the name that a template has for Helm, from the chart's name on.
func templateName(chart *helmchart.Chart, file *common.File) string {
	return path.Join(chart.ChartFullPath(), file.Name)
}

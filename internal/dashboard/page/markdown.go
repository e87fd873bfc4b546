// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bytes"
	"html/template"
	"regexp"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/assent-dev/assent/internal/plan"
)

// noteHeading is the level that a note's headings begin at: the page and its section have those above.
const noteHeading = 4

// markdown makes HTML of release notes. Raw HTML is left out by goldmark, and what it makes of the rest passes a list of what is allowed: whoever may create a
// Release writes the notes, and whoever approves reads them.
var markdown = sync.OnceValue(func() goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify),
		goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(demoted{}, 100))), //nolint:misspell // it is goldmark's name
	)
})

// allowed is what a note may be made of. There is nothing in it that fetches anything, and no attribute but those of links and tables.
var allowed = sync.OnceValue(func() *bluemonday.Policy {
	policy := bluemonday.NewPolicy()
	policy.AllowElements("p", "br", "hr", "h4", "h5", "h6", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li",
		"table", "thead", "tbody", "tr", "th", "td")
	policy.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	policy.AllowAttrs("align").Matching(regexp.MustCompile(`^(left|right|center)$`)).OnElements("th", "td") //nolint:misspell // it is HTML's value
	policy.AllowAttrs("href").OnElements("a")
	policy.AllowURLSchemes("http", "https")
	policy.AllowRelativeURLs(false)
	policy.RequireParseableURLs(true)
	policy.RequireNoFollowOnLinks(true)
	policy.RequireNoReferrerOnLinks(true)
	policy.AddTargetBlankToFullyQualifiedLinks(true)
	return policy
})

// note is a release note as HTML that can do nothing.
func note(source string) (template.HTML, error) {
	var made bytes.Buffer
	if err := markdown().Convert([]byte(source), &made); err != nil {
		return "", err
	}
	return template.HTML(plan.Visible(string(allowed().SanitizeBytes(made.Bytes())))), nil //nolint:gosec // that is what the sanitiser is for
}

// demoted puts headings below those of the page, and in the place of an image its description: an image from elsewhere would tell its host who looks.
type demoted struct{}

// Transform is called by goldmark with what it has parsed.
func (demoted) Transform(document *ast.Document, reader text.Reader, _ parser.Context) {
	var images []*ast.Image
	_ = ast.Walk(document, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch found := node.(type) {
		case *ast.Heading:
			found.Level = min(6, found.Level+noteHeading-1)
		case *ast.Image:
			images = append(images, found)
		}
		return ast.WalkContinue, nil
	})
	for _, image := range images {
		described := ast.NewString([]byte("[image: " + string(image.Text(reader.Source())) + "]")) //nolint:staticcheck // it is the description that people wrote
		image.Parent().ReplaceChild(image.Parent(), image, described)
	}
}

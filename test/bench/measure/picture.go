// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// The picture's layout, in its own units.
const (
	pictureWidth = 900.0
	labelsWidth  = 330.0
	rightMargin  = 90.0
	rowHeight    = 20.0
	panelHead    = 46.0
	panelFoot    = 34.0
	dotRadius    = 3.5
)

// row of a panel: one contender's runs, and where the goal is.
type row struct {
	label string
	class string
	dots  []float64
	goal  float64
}

// panel is a scale with rows.
type panel struct {
	title string
	rows  []row
	// doubles says that equal distances stand for equal ratios, as befits ratios: twice as long is as far from the floor as half as long.
	doubles bool
}

// scale of a panel: what is at a value's place, and where there are marks.
type scale struct {
	from, to float64
	marks    []float64
	doubles  bool
}

// Picture shows each run as a dot: how often the floor's time it took, and how much of what the goal allows was used. It is an SVG without a background,
// whose colours suit dark and light surroundings.
func (r Report) Picture() []byte {
	var body bytes.Buffer
	top := 10.0
	for _, shown := range []panel{r.ratios(), r.shares()} {
		if len(shown.rows) > 0 {
			top = shown.draw(&body, top)
		}
	}
	fmt.Fprintf(&body, `<text class="small" x="0" y="%.0f">%s</text>`+"\n", top+10, escaped(r.Machine.String()))
	var picture bytes.Buffer
	fmt.Fprintf(&picture, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 0 %.0f %.0f" role="img" aria-label="Benchmarks of Assent: each run as a dot">`+"\n%s", pictureWidth+20, top+24, style)
	picture.Write(body.Bytes())
	picture.WriteString("</svg>\n")
	return picture.Bytes()
}

const style = `<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 10px; fill: #57606a }
.title { font-weight: 600; font-size: 13px }
.axis { stroke: #afb8c1; stroke-width: 1 }
.goal { stroke: #cf222e; stroke-width: 2 }
.median { stroke: #1f2328; stroke-width: 2 }
.assent { fill: #0969da } .floor { fill: #57606a } .other { fill: #9a6700 }
.dot { fill-opacity: .65 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 } .axis { stroke: #484f58 } .goal { stroke: #f85149 } .median { stroke: #e6edf3 }
.assent { fill: #58a6ff } .floor { fill: #9198a1 } .other { fill: #d29922 }
}
</style>
`

// ratios is the panel of everything that was compared with a floor.
func (r Report) ratios() panel {
	shown := panel{title: "times the floor, run by run (the floor is 1; the red line is the goal; each mark is twice the one before)", doubles: true}
	for _, result := range r.Results {
		for _, series := range result.Series {
			ratios, err := result.Ratios(series.Contender, Floor)
			if err != nil || series.Contender == Floor {
				continue
			}
			shown.rows = append(shown.rows, row{
				label: result.Name() + " · " + string(series.Contender), class: class(series.Contender), dots: ratios, goal: r.ratioGoal(result, series.Contender),
			})
		}
	}
	return shown
}

// ratioGoal of a contender in a result; not a number if it has none.
func (r Report) ratioGoal(result Result, contender Contender) float64 {
	for _, verdict := range r.Verdicts {
		goal := verdict.Goal
		if goal.Benchmark == result.Benchmark && verdict.Case == result.Case && goal.Compare == Ratio && goal.Of == contender && goal.With == Floor {
			return goal.AtMost
		}
	}
	return math.NaN()
}

// shares is the panel of all goals that are no ratio to the floor: how much of what is allowed was used.
func (r Report) shares() panel {
	shown := panel{title: "share of what the goal allows, run by run (the red line is the goal: 1)"}
	for _, verdict := range r.Verdicts {
		goal := verdict.Goal
		if (goal.Compare == Ratio && goal.With == Floor) || goal.AtMost <= 0 || len(verdict.Runs) == 0 {
			continue
		}
		shares := make([]float64, len(verdict.Runs))
		for i, value := range verdict.Runs {
			shares[i] = math.Max(0, value/goal.AtMost)
		}
		label := strings.TrimSpace(goal.Benchmark+" "+verdict.Case) + " · at most " + verdict.amount(goal.AtMost)
		shown.rows = append(shown.rows, row{label: label, class: class(goal.Of), dots: shares, goal: 1})
	}
	return shown
}

func class(contender Contender) string {
	switch contender {
	case Assent:
		return "assent"
	case Floor:
		return "floor"
	case Kubectl, Helm:
		return "other"
	default:
		return "other"
	}
}

// bounds are the least and the greatest of all that the panel shows.
func (p panel) bounds() (least, most float64) {
	least, most = 1, 1.5
	for _, row := range p.rows {
		for _, value := range append([]float64{row.goal}, row.dots...) {
			if !math.IsNaN(value) {
				least, most = math.Min(least, value), math.Max(most, value)
			}
		}
	}
	return least, most
}

// scale that everything in the panel fits into, with round ends.
func (p panel) scale() scale {
	least, most := p.bounds()
	if p.doubles {
		made := scale{from: math.Exp2(math.Floor(math.Log2(math.Max(least, 1.0/64)))), to: math.Exp2(math.Ceil(math.Log2(most))), doubles: true}
		for mark := made.from; mark <= made.to; mark *= 2 {
			made.marks = append(made.marks, mark)
		}
		return made
	}
	step := tick(most)
	made := scale{to: math.Ceil(most/step) * step}
	for i := 0.0; i*step <= made.to*1.001; i++ {
		made.marks = append(made.marks, i*step)
	}
	return made
}

// at is where a value is, in the picture's units.
func (s scale) at(value float64) float64 {
	share := (value - s.from) / (s.to - s.from)
	if s.doubles {
		share = math.Log2(math.Max(value, s.from)/s.from) / math.Log2(s.to/s.from)
	}
	return labelsWidth + share*(pictureWidth-labelsWidth-rightMargin)
}

// tick is a round distance of marks, so that there are four to ten of them.
func tick(most float64) float64 {
	size := math.Pow(10, math.Floor(math.Log10(most)))
	for _, part := range []float64{0.1, 0.2, 0.25, 0.5, 1} {
		if most/(size*part) <= 10 {
			return size * part
		}
	}
	return size
}

// draw a panel from top on, and return where it ends.
func (p panel) draw(w *bytes.Buffer, top float64) float64 {
	shown := p.scale()
	bottom := top + panelHead + float64(len(p.rows))*rowHeight
	fmt.Fprintf(w, `<text class="title" x="0" y="%.1f">%s</text>`+"\n", top+14, escaped(p.title))
	for _, mark := range shown.marks {
		fmt.Fprintf(w, `<line class="axis" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke-dasharray="2 4"/>`+"\n", shown.at(mark), shown.at(mark), top+panelHead-10, bottom)
		fmt.Fprintf(w, `<text class="small" text-anchor="middle" x="%.1f" y="%.1f">%s</text>`+"\n", shown.at(mark), bottom+14, Number(mark))
	}
	for i, row := range p.rows {
		row.draw(w, top+panelHead+float64(i)*rowHeight+rowHeight/2-5, shown)
	}
	return bottom + panelFoot
}

func (r row) draw(w *bytes.Buffer, middle float64, on scale) {
	fmt.Fprintf(w, `<text x="0" y="%.1f">%s</text>`+"\n", middle+4, escaped(r.label))
	for _, dot := range r.dots {
		fmt.Fprintf(w, `<circle class="dot %s" cx="%.1f" cy="%.1f" r="%.1f"/>`+"\n", r.class, on.at(dot), middle, dotRadius)
	}
	median := Quantile(r.dots, 0.5)
	upright(w, "median", on.at(median), middle, 5)
	if !math.IsNaN(r.goal) {
		upright(w, "goal", on.at(r.goal), middle, rowHeight/2-1)
	}
	fmt.Fprintf(w, `<text x="%.1f" y="%.1f">%s</text>`+"\n", pictureWidth-rightMargin+14, middle+4, Number(median))
}

func upright(w *bytes.Buffer, kind string, at, middle, half float64) {
	fmt.Fprintf(w, `<line class="%s" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`+"\n", kind, at, at, middle-half, middle+half)
}

func escaped(text string) string {
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(text)) // a buffer takes everything
	return escaped.String()
}

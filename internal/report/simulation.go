// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
)

// Simulation is what an Environment would have decided with other rules: `kubectl assent simulate`.
type Simulation struct {
	metav1.TypeMeta `json:",inline"`
	Project         string `json:"project"`
	Environment     string `json:"environment"`
	// Same is how many Promotions would have gone the same way, and the others are those that would not: Blocked have started and would not have, Started have
	// not started and would have, and Otherwise are the rest, such as those that would have ended in another state.
	Same      int `json:"same"`
	Blocked   int `json:"blocked"`
	Started   int `json:"started"`
	Otherwise int `json:"otherwise"`
	// Forgotten is how many Promotions only the history knows: they cannot be decided on once more.
	Forgotten int `json:"forgotten"`
	// Items are the Promotions, the newest decision first.
	Items []SimulatedPromotion `json:"items"`
}

// SimulatedPromotion is one Promotion, decided on once more.
type SimulatedPromotion struct {
	Promotion   string                 `json:"promotion"`
	Release     string                 `json:"release"`
	Type        v1alpha1.PromotionType `json:"type"`
	RequestedBy string                 `json:"requestedBy,omitempty"`
	// Time is when it was decided: when it started, else when it ended, else now.
	Time metav1.Time `json:"time"`
	// Was and Would are Started, Waiting, or the state in which it ended without a start.
	Was     string `json:"was"`
	Would   string `json:"would"`
	Differs bool   `json:"differs"`
	// Overridden are the gates that its override would have opened.
	Overridden []v1alpha1.OverridableGate `json:"overridden,omitempty"`
	// Blockers are what would have kept it waiting, the most important first.
	Blockers []v1alpha1.Blocker `json:"blockers"`
	// Message says why it would have ended, or what it would have waited for first.
	Message string `json:"message,omitempty"`
}

// What becomes of a Promotion, beside the states in which it ends.
const (
	simulatedStarted = "Started"
	simulatedWaiting = "Waiting"
)

// Simulated makes a report of what was decided once more. The Promotions are those that it was done for, and records the history of the Environment.
func Simulated(environment *v1alpha1.Environment, promotions []*v1alpha1.Promotion, found []promotion.Simulated, records []v1alpha1.AuditRecord) Simulation {
	simulation := Simulation{
		TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: "Simulation"},
		Project:  environment.Namespace, Environment: environment.Name, Items: []SimulatedPromotion{},
	}
	known := map[string]bool{}
	for i, p := range promotions {
		known[string(p.UID)] = true
		item := simulated(p, found[i])
		simulation.Items = append(simulation.Items, item)
		switch {
		case !item.Differs:
			simulation.Same++
		case item.Was == simulatedStarted:
			simulation.Blocked++
		case item.Would == simulatedStarted:
			simulation.Started++
		default:
			simulation.Otherwise++
		}
	}
	forgotten := map[string]bool{}
	for _, record := range records {
		if uid := record.Spec.Promotion.UID; record.Spec.Environment == environment.Name && !known[uid] {
			forgotten[uid] = true
		}
	}
	simulation.Forgotten = len(forgotten)
	slices.SortStableFunc(simulation.Items, func(a, b SimulatedPromotion) int {
		return cmp.Or(b.Time.Compare(a.Time.Time), strings.Compare(a.Promotion, b.Promotion))
	})
	return simulation
}

func simulated(p *v1alpha1.Promotion, found promotion.Simulated) SimulatedPromotion {
	item := SimulatedPromotion{
		Promotion: p.Name, Release: p.Spec.Release, Type: cmp.Or(p.Spec.Type, v1alpha1.PromotionTypePromote), RequestedBy: p.Spec.RequestedBy.Username,
		Time: metav1.NewTime(found.At), Was: simulatedWaiting, Would: cmp.Or(found.Ends, simulatedWaiting), Differs: found.Differs,
		Overridden: found.Overridden, Blockers: append([]v1alpha1.Blocker{}, found.Blockers...), Message: found.Message,
	}
	if found.Starts {
		item.Would = simulatedStarted
	}
	switch {
	case !p.Status.StartTime.IsZero():
		item.Was = simulatedStarted
	case promotion.Ended(p):
		item.Was = promotion.State(p)
	}
	return item
}

// Differing are those that would have gone another way.
func (s Simulation) Differing() Simulation {
	s.Items = slices.DeleteFunc(slices.Clone(s.Items), func(item SimulatedPromotion) bool { return !item.Differs })
	return s
}

// Names are those of the Promotions.
func (s Simulation) Names() []string {
	named := make([]string, 0, len(s.Items))
	for _, item := range s.Items {
		named = append(named, "promotion."+v1alpha1.GroupName+"/"+item.Promotion)
	}
	return named
}

// Text is a summary, a table of its Promotions, and what would have kept each waiting or ended it.
func (s Simulation) Text(style Style) string {
	var out strings.Builder
	out.WriteString(s.summary(style) + "\n")
	if len(s.Items) == 0 {
		return out.String()
	}
	table := NewTable("TIME", "PROMOTION", "RELEASE", "ASKED BY", "WAS", "WOULD HAVE", "BY")
	for _, item := range s.Items {
		table.Add(item.Time.UTC().Format("2006-01-02 15:04:05"), item.Promotion, item.Release, item.RequestedBy, item.Was, item.Would, item.by())
	}
	out.WriteString("\n" + table.Text(style))
	for _, item := range s.Items {
		if !item.Differs || item.Would == simulatedStarted {
			continue
		}
		fmt.Fprintf(&out, "\n%s\n", style.Bold(item.Promotion))
		for _, blocker := range item.Blockers {
			fmt.Fprintf(&out, "  %s: %s\n", style.Waiting(string(blocker.Gate)), oneLine(blocker.Message))
		}
		if len(item.Blockers) == 0 && item.Message != "" {
			fmt.Fprintf(&out, "  %s: %s\n", style.Bad(item.Would), oneLine(item.Message))
		}
	}
	return out.String()
}

func (s Simulation) summary(style Style) string {
	parts := []string{fmt.Sprintf("%d the same", s.Same)}
	for _, each := range []struct {
		number int
		text   string
	}{
		{s.Blocked, style.Bad("%d started and would not have")}, {s.Started, style.Good("%d did not start and would have")}, {s.Otherwise, style.Waiting("%d otherwise")},
	} {
		if each.number > 0 {
			parts = append(parts, fmt.Sprintf(each.text, each.number))
		}
	}
	text := fmt.Sprintf("%s to %s decided once more: %s", counted(s.Same+s.Blocked+s.Started+s.Otherwise, "promotion"), style.Bold(s.Environment), strings.Join(parts, ", "))
	if s.Forgotten > 0 {
		text += fmt.Sprintf("\n%s in the history alone, and cannot be decided on once more: `history.promotions` of the Environment says how many are kept", are(s.Forgotten))
	}
	return text
}

func are(number int) string {
	if number == 1 {
		return "1 more is"
	}
	return fmt.Sprintf("%d more are", number)
}

// by which gates it would have been kept, or which its override would have opened.
func (s SimulatedPromotion) by() string {
	gates := make([]string, 0, len(s.Blockers))
	for _, blocker := range s.Blockers {
		gates = append(gates, string(blocker.Gate))
	}
	if len(s.Overridden) > 0 {
		return "override of " + joined(s.Overridden)
	}
	return strings.Join(gates, ",")
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// mostHappened is how much of the history of a Release is shown.
const mostHappened = 100

// releaseHappening is one Promotion of the Release, as the audit records or it itself tell of it.
type releaseHappening struct {
	At                             time.Time
	Environment, ToEnvironment     string
	Promotion, ToPromotion         string
	Badge                          stateBadge
	Rollback                       bool
	RequestedBy, DecidedBy, Reason string
	// OverriddenBy is who has opened gates, and Gates are those.
	OverriddenBy, Gates string
}

type releaseHistory struct {
	Items []releaseHappening
	More  int
}

func (p *releasePage) history() ([]Part, error) {
	shown := releaseHistory{Items: p.happened()}
	if len(shown.Items) > mostHappened {
		shown.More, shown.Items = len(shown.Items)-mostHappened, shown.Items[:mostHappened]
	}
	return p.one("release-history-table", "release-history", shown)
}

// happened is what the records tell, and the Promotions that no record speaks of, the newest first.
func (p *releasePage) happened() []releaseHappening {
	records := slices.DeleteFunc(slices.Clone(p.seen.Records), func(r v1alpha1.AuditRecord) bool {
		return r.Spec.Release.UID != string(p.release.UID) || r.Namespace != p.release.Namespace
	})
	told := map[string]bool{}
	var found []releaseHappening
	for _, item := range report.Tell(records).Items {
		told[item.Promotion] = true
		found = append(found, releaseHappening{
			At: item.Time.Time, Environment: item.Environment, Promotion: item.Promotion, Badge: badgeOf(item.Result), Rollback: item.Type == v1alpha1.PromotionTypeRollback,
			RequestedBy: item.RequestedBy, DecidedBy: enumerated(item.DecidedBy, "and"), Reason: cmp.Or(item.Message, item.Reason),
			OverriddenBy: item.OverriddenBy, Gates: gatesText(item.Gates),
		})
	}
	for _, each := range p.seen.Promotions {
		if told[each.Name] || each.Spec.Release != p.release.Name {
			continue
		}
		_, message := report.State(each)
		found = append(found, releaseHappening{
			At: cmp.Or(each.Status.CompletionTime, each.CreationTimestamp).Time, Environment: each.Spec.Environment, Promotion: each.Name, Badge: promotionState(each),
			Rollback: each.Spec.Type == v1alpha1.PromotionTypeRollback, RequestedBy: each.Spec.RequestedBy.Username, Reason: cmp.Or(message, each.Spec.Reason),
		})
	}
	for i := range found {
		found[i].ToEnvironment = p.Environment(p.release.Namespace, found[i].Environment)
		found[i].ToPromotion = p.Promotion(p.release.Namespace, found[i].Promotion)
	}
	slices.SortStableFunc(found, func(a, b releaseHappening) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Promotion, b.Promotion))
	})
	return found
}

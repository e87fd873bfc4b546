// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"strings"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// waits for an approval, with a plan that changes something.
func waits(to *v1alpha1.Environment, version string, age time.Duration, changes ...promotionChange) *v1alpha1.Promotion {
	made := promotionTo(to, version, v1alpha1.ReasonAwaitingApproval, age, append([]promotionChange{approvedBy(2, "security", "carol")}, changes...)...)
	made.Status.Plan.Objects = ptr.To[int32](7)
	made.Status.Plan.Changes = []v1alpha1.Change{{Action: v1alpha1.ChangeCreate}, {Action: v1alpha1.ChangeUpdate}, {Action: v1alpha1.ChangeUpdate}}
	return made
}

func TestTheInboxHasTheOldestFirstAcrossProjects(t *testing.T) {
	world := everything()
	view, err := Inbox(viewer(), world, []*v1alpha1.Promotion{waits(world.Environments[0], "2.1.0", time.Hour), waits(world.Environments[8], "1.4.0", 3*time.Hour), waits(world.Environments[2], "2.1.0", 2*time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	order, html := partsOf(t, view, slotInbox)
	if strings.Join(order, " ") != "request/shop/cart-1.4.0-cart-production request/payments/ledger-2.1.0-ledger-production request/payments/ledger-2.1.0-ledger-dev" {
		t.Error(order)
	}
	if view.Title != "Inbox (3)" {
		t.Error(view.Title)
	}
	for id, part := range html {
		if !strings.HasPrefix(part, `<li id="`+id+`">`) {
			t.Errorf("the part %s begins with %.60s", id, part)
		}
	}
}

func TestARequestSaysWhoAsksForWhatAndWhy(t *testing.T) {
	world := everything()
	asked := waits(world.Environments[2], "2.1.0", time.Hour, blockedBy(v1alpha1.GateWindow, "outside the allow windows", monday), func(p *v1alpha1.Promotion) {
		p.Spec.Type, p.Spec.Override.Gates = v1alpha1.PromotionTypeRollback, []v1alpha1.OverridableGate{"Window", "Soak"}
	})
	view, err := Inbox(viewer(), world, []*v1alpha1.Promotion{asked})
	if err != nil {
		t.Fatal(err)
	}
	_, html := partsOf(t, view, slotInbox)
	got := html["request/payments/ledger-2.1.0-ledger-production"]
	for _, want := range []string{
		`href="/projects/payments/promotions/ledger-2.1.0-ledger-production"`, "ledger 2.1.0", "production</a>", "runs 2.0.0 now", "<strong>bob</strong>", "vouchers for everybody",
		"rollback", "break-glass: Window, Soak", "1 of 2 approvals, needs security", "1 created, 2 updated, of 7 objects", "also outside its window until <time",
		`expires <time datetime="2031-03-09T10:00:00Z" data-until>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q: %s", want, got)
		}
	}
}

func TestARequestToAnEnvironmentThatIsNotSeenIsShownByItsNames(t *testing.T) {
	view, err := Inbox(viewer(), &World{}, []*v1alpha1.Promotion{waits(environmentOf("shop", "production", "web"), "1.0.0", time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, html := partsOf(t, view, slotInbox); !strings.Contains(html["request/shop/web-1.0.0-production"], "web-1.0.0 <span") {
		t.Error(html)
	}
}

func TestAnEmptyInboxIsFriendly(t *testing.T) {
	view, err := Inbox(viewer(), everything(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if order, _ := partsOf(t, view, slotInbox); len(order) > 0 {
		t.Error(order)
	}
	if _, html := partsOf(t, view, slotInboxEmpty); !strings.Contains(html["nothing-waits"], "Nothing waits for you.") {
		t.Error(html)
	}
}

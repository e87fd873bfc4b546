// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
)

// Recovery is what became of rollouts in whose midst the operator was killed.
type Recovery struct {
	// InFlight is how many promotions were approved and had not ended when it was killed, and Started how many of them had started.
	InFlight, Started int
	// Synced is how long it was from the start of the new process until its caches were complete and its controllers worked.
	Synced time.Duration
	// AppliedBefore is how long it was from then until the last object of a promotion was applied that was approved while no operator ran.
	AppliedBefore time.Duration
	// AppliedAfter is how long it was until that of one was applied that was approved then, from the answer to the approval.
	AppliedAfter time.Duration
	// Ended is how long it was from the start of the process until all had ended.
	Ended time.Duration
	// Violations are what was lost or done twice, as sentences.
	Violations []string
}

// String is a paragraph for people.
func (r Recovery) String() string {
	text := fmt.Sprintf("killed with %d promotions in flight, %d of them started; caches complete %s after the start of the process; what was approved meanwhile was applied %s after that; "+
		"what was approved then, %s after its approval; all had ended %s after the start of the process; %d violations",
		r.InFlight, r.Started, r.Synced.Round(time.Millisecond), r.AppliedBefore.Round(time.Millisecond), r.AppliedAfter.Round(time.Millisecond), r.Ended.Round(time.Millisecond), len(r.Violations))
	return strings.Join(append([]string{text}, r.Violations...), "\n           ")
}

// Recovery asks for a version in some Environments, approves it there and kills the operator in the midst of that, and starts it again.
func (c *Crowd) Recovery(ctx context.Context, version string, flight int) (Recovery, error) {
	var found Recovery
	waiting, err := c.prepare(ctx, version, c.places[:flight+2])
	if err != nil {
		return found, err
	}
	before, after, flying := waiting[0], waiting[1], waiting[2:flight+2]
	log, err := c.cluster.Requests()
	if err != nil {
		return found, err
	}
	if err := c.each(ctx, "approving", flight, func(ctx context.Context, i int) error { return c.approve(ctx, flying[i]) }); err != nil {
		return found, err
	}
	if err := c.operator.Kill(); err != nil { // at once: a look at how far they are takes longer than some of them
		return found, err
	}
	started, ended, err := c.progress(ctx, version, flying)
	if err != nil {
		return found, err
	}
	found.InFlight, found.Started = flight-ended, started
	if found.InFlight < flight/2 || found.Started == 0 {
		return found, fmt.Errorf("of %d promotions %d were in flight when the operator was killed, and %d had started: that measures no recovery; run it again on a machine that does nothing else",
			flight, found.InFlight, found.Started)
	}
	if err := c.approve(ctx, before); err != nil {
		return found, err
	}
	began := time.Now()
	if err := c.operator.Start(ctx); err != nil {
		return found, err
	}
	if err := c.approve(ctx, after); err != nil {
		return found, err
	}
	all := append([]*v1alpha1.Promotion{before, after}, flying...)
	if err := c.until(ctx, "waiting until all have ended", func(ctx context.Context) (int, int, error) {
		_, ended, err := c.progress(ctx, version, all)
		return ended, len(all), err
	}); err != nil {
		return found, err
	}
	if err := written(ctx); err != nil {
		return found, err
	}
	synced, err := c.operator.Worked()
	if err != nil {
		return found, err
	}
	found.Synced = synced.Sub(began)
	return found, found.read(ctx, c, log, began, synced, before, after, all)
}

// progress is how many of the Promotions have started and not ended, and how many have ended.
func (c *Crowd) progress(ctx context.Context, version string, of []*v1alpha1.Promotion) (started, ended int, err error) {
	now, err := c.promotions(ctx, version)
	wanted := map[client.ObjectKey]bool{}
	for _, p := range of {
		wanted[client.ObjectKeyFromObject(p)] = true
	}
	for _, p := range now {
		switch {
		case !wanted[client.ObjectKeyFromObject(p)]:
		case promotion.Ended(p):
			ended++
		case promotion.Started(p):
			started++
		}
	}
	return started, ended, err
}

// story of a promotion. What it has left behind tells what was done; only that something was done twice is told by the API server's audit log alone, which
// knows nothing of the answer to a write that nobody waited for any more.
type story struct {
	approved, applied, ended time.Time
	// intents and outcomes on record, and how often its end was written.
	intents, outcomes, states int
	// missing are the objects that are not as the version has them.
	missing []string
}

// violations are what was lost or done twice of a promotion that is in a state by now.
func (s *story) violations(name, state string) []string {
	var found []string
	if state != v1alpha1.ReasonSucceeded {
		found = append(found, fmt.Sprintf("promotion %q has ended as %s", name, state))
	}
	if s.intents != 1 || s.outcomes != 1 || s.states > 1 {
		found = append(found, fmt.Sprintf("promotion %q has %d intents and %d outcomes on record, and its end was written %d times", name, s.intents, s.outcomes, s.states))
	}
	if len(s.missing) > 0 {
		found = append(found, fmt.Sprintf("of promotion %q was not applied: %s", name, strings.Join(s.missing, ", ")))
	}
	return found
}

func (r *Recovery) read(ctx context.Context, c *Crowd, log *cluster.RequestLog, began, synced time.Time, before, after *v1alpha1.Promotion, all []*v1alpha1.Promotion) error {
	stories, err := tell(log)
	if err != nil {
		return err
	}
	for _, p := range all {
		one := stories[string(p.UID)]
		if one == nil {
			one = &story{}
		}
		if one.ended.Sub(began) > r.Ended {
			r.Ended = one.ended.Sub(began)
		}
		now := &v1alpha1.Promotion{}
		if err := c.admin.Get(ctx, client.ObjectKeyFromObject(p), now); err != nil {
			return err
		}
		if err := c.leftBehind(ctx, now, one); err != nil {
			return err
		}
		r.Violations = append(r.Violations, one.violations(p.Name, promotion.State(now))...)
	}
	r.AppliedBefore = stories[string(before.UID)].applied.Sub(synced)
	r.AppliedAfter = stories[string(after.UID)].applied.Sub(stories[string(after.UID)].approved)
	return nil
}

// tell what became of each promotion, by UID.
func tell(log *cluster.RequestLog) (map[string]*story, error) {
	stories := map[string]*story{}
	of := func(uid string) *story {
		if stories[uid] == nil {
			stories[uid] = &story{}
		}
		return stories[uid]
	}
	_, err := log.Answered(func(r cluster.Request) bool {
		if !r.Granted() || !r.Changes() {
			return false
		}
		switch {
		case r.ObjectRef.Resource == "promotions":
			var written v1alpha1.Promotion
			if json.Unmarshal(r.ResponseObject, &written) != nil {
				return false
			}
			one := of(string(written.UID))
			if r.User.Username == cluster.Alice {
				one.approved = r.Done
			} else if promotion.Ended(&written) {
				one.ended = r.Done
				one.states++
			}
		case r.ImpersonatedUser.Username != "":
			for _, identity := range r.ImpersonatedUser.Extra[v1alpha1.ExtraPromotion] {
				of(identity[strings.LastIndex(identity, "/")+1:]).applied = r.Done
			}
		}
		return false
	})
	return stories, err
}

// leftBehind reads what a promotion has left behind: its records, and its objects.
func (c *Crowd) leftBehind(ctx context.Context, p *v1alpha1.Promotion, one *story) error {
	var records v1alpha1.AuditRecordList
	if err := c.admin.List(ctx, &records, client.InNamespace(p.Namespace), client.MatchingLabels{v1alpha1.LabelPromotionUID: string(p.UID)}); err != nil {
		return err
	}
	for i := range records.Items {
		if kind := records.Items[i].Spec.Type; kind == v1alpha1.AuditIntent {
			one.intents++
		} else if audit.IsOutcome(kind) {
			one.outcomes++
		}
	}
	at := slices.IndexFunc(c.places, func(one place) bool { return one.project == p.Namespace && one.name == p.Spec.Environment })
	version := strings.TrimPrefix(p.Spec.Release, "shop-")
	for kind, object := range map[string]client.Object{"Deployment": &appsv1.Deployment{}, "ConfigMap": &corev1.ConfigMap{}, "Service": &corev1.Service{}, "Secret": &corev1.Secret{}} {
		name := map[string]string{"ConfigMap": "settings", "Secret": "login"}[kind]
		if err := c.admin.Get(ctx, client.ObjectKey{Namespace: c.places[at].target.Namespace, Name: cmp.Or(name, "web")}, object); err != nil {
			return err
		}
		if versionOf(object) != version {
			one.missing = append(one.missing, kind)
		}
	}
	slices.Sort(one.missing)
	return nil
}

// versionOf one of the four objects.
func versionOf(object client.Object) string {
	switch object := object.(type) {
	case *corev1.ConfigMap:
		return object.Data["version"]
	case *corev1.Secret:
		return string(object.Data["password"])
	default:
		return object.GetAnnotations()["example.com/version"]
	}
}

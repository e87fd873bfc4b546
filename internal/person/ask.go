// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// Request is what a Promotion asks for.
type Request struct {
	Project, Release, Environment string
	Type                          v1alpha1.PromotionType
	Reason                        string
	// NotBefore is the earliest start; zero for at once.
	NotBefore metav1.Time
}

// name of its Promotion, the same each time: that is what keeps one who asks again from asking twice.
func (r Request) name() string {
	if r.Type == v1alpha1.PromotionTypeRollback {
		return stableName(r.Release, r.Environment, "rollback")
	}
	return stableName(r.Release, r.Environment)
}

// Asked is the Promotion that asks for what was requested.
type Asked struct {
	Promotion *v1alpha1.Promotion
	// Already says that it was there, and has not ended.
	Already bool
	// Sooner says that it may start before the time that was requested.
	Sooner bool
}

// Ask creates the Promotion, or takes up the one that asks for the same. Where one of its name has ended, the next is numbered.
func (a Actor) Ask(ctx context.Context, request Request) (Asked, error) {
	wanted := &v1alpha1.Promotion{
		ObjectMeta: metav1.ObjectMeta{Namespace: request.Project},
		Spec: v1alpha1.PromotionSpec{
			Release: request.Release, Environment: request.Environment, Type: request.Type, Reason: request.Reason, NotBeforeTime: request.NotBefore,
			RequestedBy: a.Me, Approvals: []v1alpha1.Approval{},
		},
	}
	for number := 1; ; number++ {
		promotion := wanted.DeepCopy()
		promotion.Name = numbered(request.name(), number)
		err := a.Client.Create(ctx, promotion, client.FieldOwner(v1alpha1.FieldManager))
		if !apierrors.IsAlreadyExists(err) {
			return Asked{Promotion: promotion}, err
		}
		present := &v1alpha1.Promotion{}
		if err := a.Client.Get(ctx, client.ObjectKeyFromObject(promotion), present); err != nil {
			return Asked{}, err
		}
		if asksForTheSame(present, wanted) && !report.Ended(present) {
			return Asked{Promotion: present, Already: true, Sooner: request.NotBefore.After(present.Spec.NotBeforeTime.Time)}, nil
		}
	}
}

func asksForTheSame(present, wanted *v1alpha1.Promotion) bool {
	return present.Spec.Release == wanted.Spec.Release && present.Spec.Environment == wanted.Spec.Environment &&
		present.Spec.Type == wanted.Spec.Type && present.DeletionTimestamp.IsZero()
}

// Back is the Release that a rollback of an Environment goes back to: the one that is named, which must have succeeded there, else the previous one. The error is a
// *NoWayBack.
func Back(environment *v1alpha1.Environment, release string) (string, error) {
	status := environment.Status
	succeeded := func(release string) bool {
		return slices.ContainsFunc(status.Releases, func(s v1alpha1.SucceededRelease) bool { return s.Name == release })
	}
	none := func(format string, arguments ...any) (string, error) {
		return "", &NoWayBack{environment.Name, release, fmt.Sprintf(format, arguments...)}
	}
	switch {
	case status.Current.Release == "":
		return none("nothing has succeeded in environment %q yet: there is nothing to go back to", environment.Name)
	case release == "" && status.Previous.Release == "":
		return none("nothing ran in environment %q before %q: there is nothing to go back to", environment.Name, status.Current.Release)
	case release == "":
		return status.Previous.Release, nil
	case !succeeded(release):
		return none("release %q has not succeeded in environment %q, and nothing can go back to it", release, environment.Name)
	default:
		return release, nil
	}
}

// longestName leaves room for a number in the 253 bytes that a name may have.
const longestName = 245

// stableName joins names to that of a Promotion: the same each time. One that would be too long is cut, and told apart by a digest of all of it.
func stableName(parts ...string) string {
	name := strings.Join(parts, "-")
	if len(name) <= longestName {
		return name
	}
	digest := sha256.Sum256([]byte(name))
	mark := "-" + hex.EncodeToString(digest[:4])
	return strings.TrimRight(name[:longestName-len(mark)], "-.") + mark
}

// numbered is the name of the first, the second and so on.
func numbered(name string, number int) string {
	if number == 1 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, number)
}

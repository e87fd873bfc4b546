// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// evidence is what is attached to an artifact, as it speaks for the artifact or not.
type evidence struct {
	attached

	artifact Artifact
	signers  []signer
	// found, of each bundle that could be fetched or never will be.
	found []finding
	// fault of the registry that has kept a bundle from being read.
	fault error
	// more bundles were there than are looked at.
	more bool
}

// gather looks at bundles until one is good, and returns why none is.
func (e *evidence) gather(ctx context.Context) error {
	host := e.repository.Reference.Registry
	referrers, more, err := e.bundles(ctx)
	if err != nil {
		return unreachable(err, host, "the list of signatures of "+e.artifact.reference())
	}
	e.more = more
	for _, referrer := range referrers {
		content, err := e.bundle(ctx, referrer)
		var never unusable
		switch {
		case errors.Is(err, errNoBundle):
			continue
		case errors.As(err, &never):
			e.found = append(e.found, finding{standing: unreadable, detail: string(never)})
			continue
		case err != nil:
			e.fault = err
			continue
		}
		judged := judge(content, e.signers, e.subject)
		if judged.standing == good {
			return nil
		}
		e.found = append(e.found, judged)
	}
	if e.fault != nil {
		// What could not be read may be the good one.
		return unreachable(e.fault, host, "a signature of "+e.artifact.reference())
	}
	if len(e.found) == 0 && e.more {
		return refusal(Unsigned, "%s has so much attached that not all of it was looked at, and no signature among the first: remove what is not needed, or push it to another repository",
			e.artifact.reference())
	}
	if len(e.found) == 0 {
		return e.unsigned(ctx)
	}
	return e.refused()
}

// unsigned tells what was never signed from what was signed in the old way, and from what is not there.
func (e *evidence) unsigned(ctx context.Context) error {
	host := e.repository.Reference.Registry
	missing, err := e.lacks(ctx, string(e.subject))
	if err != nil {
		return unreachable(err, host, e.artifact.reference())
	}
	if missing {
		return &Error{Reason: Unreachable, Message: fmt.Sprintf("%s does not exist in registry %q, or its Secret does not show it: push it, and sign it; it is tried again",
			e.artifact.reference(), host)}
	}
	none, err := e.lacks(ctx, e.oldTag())
	if err != nil {
		return unreachable(err, host, "tag "+e.oldTag())
	}
	if !none {
		return refusal(Unsigned, "%s has a signature in the old form of cosign only (tag %q), which is not supported: %s", e.artifact.reference(), e.oldTag(), e.sign("anew "))
	}
	return refusal(Unsigned, "%s is not signed, and must be signed by %s: %s", e.artifact.reference(), e.names(), e.sign(""))
}

// refused explains with the bundles that came closest.
func (e *evidence) refused() error {
	closest := slices.MaxFunc(e.found, func(a, b finding) int { return int(a.standing) - int(b.standing) })
	reference, more := e.artifact.reference(), ""
	if e.more {
		more = fmt.Sprintf(" (of many signatures only the first %d were looked at: remove those that are not needed)", len(e.found))
	}
	switch closest.standing {
	case forOtherDigest:
		return refusal(OtherDigest, "%s carries a signature of %q that was made for another digest, %q%s: promote what was signed, or %s",
			reference, closest.signer, closest.detail, more, e.sign(""))
	case ofOtherKind:
		return refusal(Unsigned, "%s carries a statement of %q of the type %q, which is no signature%s: %s",
			reference, closest.signer, closest.detail, more, e.sign(""))
	case byStranger:
		return refusal(WrongSigner, "%s is signed, and not by %s but %s%s: %s, or have an owner of the Environment add who signed to `spec.signatures.signers`",
			reference, e.names(), e.strangers(), more, e.sign(""))
	case unreadable, good:
	}
	return refusal(Unsigned, "%s has nothing attached that can be read as a signature (%s)%s: %s", reference, closest.detail, more, e.sign(""))
}

// most strangers and signers that a message names, so that the remedy at its end has room in a status.
const (
	mostStrangers = 2
	mostNames     = 3
)

// strangers names who has signed, each once.
func (e *evidence) strangers() string {
	var who []string
	for _, one := range e.found {
		if one.standing == byStranger && !slices.Contains(who, one.detail) {
			who = append(who, one.detail)
		}
	}
	if left := len(who) - mostStrangers; left > 0 {
		who = append(who[:mostStrangers], fmt.Sprintf("%d more", left))
	}
	return strings.Join(who, " and ")
}

// names of the signers of whom one must have signed.
func (e *evidence) names() string {
	names := make([]string, len(e.signers))
	for i, one := range e.signers {
		names[i] = fmt.Sprintf("%q", one.name)
	}
	if left := len(names) - mostNames; left > 0 {
		names = append(names[:mostNames], fmt.Sprintf("%d more", left))
	}
	return strings.Join(names, " or ")
}

// sign says how a signer signs.
func (e *evidence) sign(again string) string {
	return fmt.Sprintf("have %s sign it %swith `cosign sign %s` (cosign 3 or later)", e.names(), again, e.artifact.reference())
}

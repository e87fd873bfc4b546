// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// releaseContent is what it consists of.
type releaseContent struct {
	Kind string
	// Source says where the manifests are.
	Source []releaseFact
	// Digest of the content; empty while it is not known.
	Digest     v1alpha1.Digest
	Images     []releaseImage
	Build      v1alpha1.ReleaseBuild
	CI         string
	Signatures []releaseSignature
}

// releaseFact is a name with its value, as text.
type releaseFact struct{ Name, Value string }

// releaseImage is what an image of the manifests is pinned to.
type releaseImage struct{ Name, NewName, Digest string }

func (p *releasePage) content() ([]Part, error) {
	spec := p.release.Spec
	shown := releaseContent{Digest: p.release.Status.Digest, Build: spec.Build, CI: webAddress(spec.Build.URL), Signatures: p.signatures()}
	shown.Kind, shown.Source = releaseSource(spec.Source)
	for _, image := range spec.Images {
		shown.Images = append(shown.Images, releaseImage{image.Name, image.NewName, string(image.Digest)})
	}
	return p.one("release-content-card", "release-content", shown)
}

// releaseSource in words: its kind, and what was asked for.
func releaseSource(source v1alpha1.ReleaseSource) (kind string, facts []releaseFact) {
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, releaseFact{name, value})
		}
	}
	switch {
	case source.OCI.URL != "":
		kind = "OCI artifact"
		add("Repository", source.OCI.URL)
		add("Tag", source.OCI.Tag)
		add("Asked for", string(source.OCI.Digest))
		add("Path", source.OCI.Path)
	case source.Git.URL != "":
		kind = "Git commit"
		add("Repository", source.Git.URL)
		add("Commit", source.Git.Commit)
		add("Path", source.Git.Path)
	case source.Helm.URL != "":
		kind = "Helm chart"
		add("Repository", source.Helm.URL)
		add("Chart", source.Helm.Chart)
		add("Version", source.Helm.Version)
		add("Asked for", string(source.Helm.Digest))
		add("Named", source.Helm.ReleaseName)
	case len(source.Bundle) > 0:
		kind = "Bundle of " + counted(len(source.Bundle), "Release")
	default:
		kind = "Manifests in the Release itself"
		add("Size", counted(len(source.Inline), "byte"))
	}
	return kind, facts
}

// releaseSignature is what an Environment asks for, and whether it was found.
type releaseSignature struct {
	Environment, To string
	Signers         string
	Images          bool
	Badge           stateBadge
	// Promotion whose plan was made with the signature, and when.
	Promotion *releaseLink
	At        time.Time
}

// signatures that Environments ask for. A plan is made only of what is signed: where there is one, the signature was verified.
func (p *releasePage) signatures() []releaseSignature {
	var found []releaseSignature
	for _, environment := range p.places {
		policy := environment.Spec.Signatures
		if len(policy.Signers) == 0 {
			continue
		}
		names := make([]string, 0, len(policy.Signers))
		for _, signer := range policy.Signers {
			names = append(names, signer.Name)
		}
		shown := releaseSignature{
			Environment: environment.Name, To: p.Environment(environment.Namespace, environment.Name), Signers: enumerated(names, "or"),
			Images: policy.Images == v1alpha1.ImageSignaturesRequired, Badge: stateBadge{"quiet", "clock", "Not verified yet"},
		}
		for _, promotion := range p.seen.Promotions {
			plan := promotion.Status.Plan
			if promotion.Spec.Environment != environment.Name || plan.Digest == "" || plan.Inputs.Release.UID != string(p.release.UID) || !plan.PlannedTime.After(shown.At) {
				continue
			}
			shown.Badge, shown.At = stateBadge{"good", "ok", "Verified"}, plan.PlannedTime.Time
			shown.Promotion = &releaseLink{promotion.Name, p.Promotion(promotion.Namespace, promotion.Name)}
		}
		found = append(found, shown)
	}
	return found
}

// releaseMember is a Release of the bundle, or a bundle that names this one.
type releaseMember struct {
	Name, To, Version, Application string
	Badge                          stateBadge
	Message                        string
}

// releaseMembers are the Releases that go together with this one.
type releaseMembers struct {
	Bundle           bool
	Members, Bundles []releaseMember
}

func (p *releasePage) members() ([]Part, error) {
	shown := releaseMembers{Bundle: len(p.release.Spec.Source.Bundle) > 0}
	known := map[string]*v1alpha1.Release{}
	for _, release := range p.seen.Bundled {
		known[release.Name] = release
	}
	for _, named := range p.release.Spec.Source.Bundle {
		shown.Members = append(shown.Members, p.member(named.Name, known[named.Name]))
	}
	for _, bundle := range p.seen.Bundles {
		shown.Bundles = append(shown.Bundles, p.member(bundle.Name, bundle))
	}
	if len(shown.Members)+len(shown.Bundles) == 0 {
		return nil, nil
	}
	return p.one("release-members-card", "release-members", shown)
}

func (p *releasePage) member(name string, release *v1alpha1.Release) releaseMember {
	if release == nil {
		return releaseMember{Name: name, Badge: stateBadge{"bad", "failed", "Not there"}, Message: fmt.Sprintf("there is no release %q in project %q, or you may not read it", name, p.release.Namespace)}
	}
	shown := releaseMember{Name: name, To: p.Release(release.Namespace, name), Version: release.Spec.Version, Application: release.Spec.Application}
	shown.Badge, shown.Message = releaseReady(release)
	if reason := release.Spec.Blocked.Reason; reason != "" {
		shown.Badge, shown.Message = releaseIsBlocked, strings.TrimSpace(reason)
	}
	return shown
}

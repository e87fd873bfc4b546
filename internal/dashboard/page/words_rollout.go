// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// What the API gives where nothing is written.
const (
	defaultRolloutSeconds  = 600
	defaultIntervalSeconds = 30
)

func checksInWords(checks []v1alpha1.Check) topic {
	about := topic{Title: "What is checked"}
	for _, check := range checks {
		when := "before the start"
		if check.Phase == v1alpha1.CheckAfter {
			when = "after the rollout"
			if check.Times > 1 {
				when += ", " + counted(int(check.Times), "time") + " in succession, " + lengthInWords(cmp.Or(check.IntervalSeconds, defaultIntervalSeconds)) + " apart"
			}
		}
		switch {
		case check.HTTP.URL != "":
			about.quote(cmp.Or(check.HTTP.When, "status == 200"), "%s, %s: what %s answers must be", check.Name, when, check.HTTP.URL)
		case check.Prometheus.URL != "":
			about.quote(check.Prometheus.Query+"\n"+check.Prometheus.When, "%s, %s: what %s has measured must be", check.Name, when, check.Prometheus.URL)
		default:
			about.say("%s, %s: a Job in the project must complete.", check.Name, when)
		}
	}
	return about
}

func rolloutInWords(spec v1alpha1.EnvironmentSpec) topic {
	about, policy := topic{Title: "How it is rolled out"}, spec.Rollout
	about.say("It is applied to namespace %s as service account %s, which may do there what its Role says.", spec.Target.Namespace, spec.Target.ServiceAccountName)
	if name := spec.Target.Cluster.Kubeconfig.Name; name != "" {
		about.say("The namespace is in another cluster: that of the kubeconfig in Secret %s.", name)
	}
	about.say("It has to be healthy within %s.", lengthInWords(cmp.Or(policy.TimeoutSeconds, defaultRolloutSeconds)))
	if policy.OnFailure == v1alpha1.OnFailureRollback {
		about.say("If it fails, what ran before is applied again.")
	} else {
		about.say("If it fails, it stays as it is, and people decide.")
	}
	if policy.Prune == v1alpha1.PruneDisabled {
		about.say("What a Release no longer has is left where it is.")
	} else {
		about.say("What a Release no longer has is deleted, once the rest is healthy.")
	}
	switch policy.Drift {
	case v1alpha1.DriftCorrect:
		about.say("What somebody else changes is applied again as it was approved.")
	case v1alpha1.DriftIgnore:
		about.say("What somebody else changes is not looked at.")
	case v1alpha1.DriftReport:
		about.say("What somebody else changes is reported.")
	default:
		about.say("What somebody else changes is reported.")
	}
	if spec.Lock == v1alpha1.LockEnabled {
		about.say("It is locked: nobody changes what was applied but the next rollout, and holders of the verb “override”.")
	}
	if len(policy.ClusterScopedKinds) > 0 {
		kinds := make([]string, 0, len(policy.ClusterScopedKinds))
		for _, kind := range policy.ClusterScopedKinds {
			kinds = append(kinds, strings.TrimSuffix(kind.Kind+"."+kind.Group, "."))
		}
		about.say("Beside objects of the namespace, a Release may hold %s.", enumerated(kinds, "and"))
	}
	return about
}

func rollbackInWords(spec v1alpha1.EnvironmentSpec) topic {
	about := topic{Title: "How it goes back"}
	if spec.Rollback.Approval == v1alpha1.RollbackApprovalNotRequired {
		about.say("Whoever holds the verb “rollback” may go back to what has run here, without anybody’s approval.")
	} else {
		about.say("Going back needs the same approvals as going on.")
	}
	about.say("It waits neither for other environments nor for windows.")
	return about
}

func contentInWords(spec v1alpha1.EnvironmentSpec) topic {
	about := topic{Title: "What may run, and what is changed in it"}
	if signers := spec.Signatures.Signers; len(signers) > 0 {
		names := make([]string, 0, len(signers))
		for _, signer := range signers {
			names = append(names, signer.Name)
		}
		what := "The artifact of a Release"
		if spec.Signatures.Images == v1alpha1.ImageSignaturesRequired {
			what = "The artifact of a Release, and each image in it,"
		}
		about.say("%s must be signed by %s.", what, enumerated(names, "or"))
	}
	var changes []string
	switch n := len(spec.Overlay.Patches); n {
	case 0:
	case 1:
		changes = append(changes, "1 patch")
	default:
		changes = append(changes, fmt.Sprintf("%d patches", n))
	}
	if n := len(spec.Overlay.Replicas); n > 0 {
		changes = append(changes, "the replicas of "+counted(n, "workload"))
	}
	if n := len(spec.Overlay.Labels); n > 0 {
		changes = append(changes, counted(n, "label"))
	}
	if spec.Overlay.Values != nil || len(spec.Overlay.ValuesFrom) > 0 {
		changes = append(changes, "Helm values")
	}
	if len(changes) > 0 {
		about.say("This environment changes what a Release says by %s.", enumerated(changes, "and"))
	}
	return about
}

func automaticInWords(policy v1alpha1.AutoPromotion) topic {
	about := topic{Title: "Who asks"}
	if policy.Versions == "" {
		about.say("People and CI ask: nothing comes here by itself.")
		return about
	}
	about.quote(policy.Versions, "A promotion is asked for by itself as soon as a Release may come here, for versions that are")
	return about
}

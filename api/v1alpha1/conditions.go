// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types.
const (
	// ConditionReady of a Release: its content is fetched and is what its digest says. Of an Environment: promotions can be carried out there.
	ConditionReady = "Ready"
	// ConditionHealthy of an Environment: the last rollout ended healthy, and what runs still is.
	ConditionHealthy = "Healthy"
	// ConditionInSync of an Environment: what was applied last is a whole approved plan, and nobody else has changed it since.
	ConditionInSync = "InSync"
	// ConditionSucceeded of a Promotion carries its state as the reason.
	ConditionSucceeded = "Succeeded"
	// ConditionApproved of a Promotion: the approval gate holds.
	ConditionApproved = "Approved"
	// ConditionReconciling of a Promotion is True from start to end of its rollout, and absent otherwise (kstatus).
	ConditionReconciling = "Reconciling"
	// ConditionOverridden of a Promotion is True from a start through overridden gates until somebody else has acknowledged it, and False from then on.
	ConditionOverridden = "Overridden"
	// ConditionStalled of a Promotion is True when it is Invalid or has Failed, and absent otherwise (kstatus).
	ConditionStalled = "Stalled"
)

// Reasons of a Release's Ready condition.
const (
	ReasonResolved       = "Resolved"
	ReasonFetchFailed    = "FetchFailed"
	ReasonDigestMismatch = "DigestMismatch"
	ReasonInvalidSource  = "InvalidSource"
	ReasonBlockedRelease = "Blocked"
)

// Reasons of an Environment's conditions.
const (
	ReasonAccepted        = "Accepted"
	ReasonNotDeployed     = "NotDeployed"
	ReasonRolledOut       = "RolledOut"
	ReasonRolloutFailed   = "RolloutFailed"
	ReasonRolloutStopped  = "RolloutStopped"
	ReasonDeployerMissing = "DeployerMissing"
	// ReasonInvalidRules: a rule of the Environment cannot be carried out; the message names the field.
	ReasonInvalidRules = "InvalidRules"
	// ReasonAutoPromotionRefused: the service account assent-promoter may not ask for a promotion.
	ReasonAutoPromotionRefused = "AutoPromotionRefused"
	// ReasonDrifted: somebody else has changed what was applied; the message names objects and fields.
	ReasonDrifted = "Drifted"
	// ReasonDriftUnknown: what was applied cannot be compared now; the message says why.
	ReasonDriftUnknown = "DriftUnknown"
	// ReasonRolledBackTo: a rollout failed, and what ran before was applied again.
	ReasonRolledBackTo = "RolledBackTo"
	// ReasonClusterUnreachable: the target cluster cannot be reached, or its kubeconfig cannot be used.
	ReasonClusterUnreachable = "ClusterUnreachable"
	// ReasonUnhealthy: what runs has become unhealthy after its rollout.
	ReasonUnhealthy = "Unhealthy"
)

// Reasons of a Promotion's Succeeded condition: its state.
const (
	// ReasonPlanning: the plan is being rendered.
	ReasonPlanning = "Planning"
	// ReasonAwaitingApproval: the approval gate does not hold.
	ReasonAwaitingApproval = "AwaitingApproval"
	// ReasonBlocked: approved, and another gate does not hold.
	ReasonBlocked = "Blocked"
	// ReasonQueued: every gate holds; another rollout is running in the Environment.
	ReasonQueued = "Queued"
	// ReasonRollingOut: started; decisions are closed.
	ReasonRollingOut = "RollingOut"
	// ReasonVerifying: everything is healthy; the checks after the rollout are running.
	ReasonVerifying = "Verifying"
	// ReasonRollingBack: the rollout has failed; what ran before is being applied again.
	ReasonRollingBack = "RollingBack"
	// ReasonSucceeded: healthy and verified.
	ReasonSucceeded = "Succeeded"
	// ReasonRejected: an authorised person refused the plan.
	ReasonRejected = "Rejected"
	// ReasonExpired: not answered, or not started after its approval, in time.
	ReasonExpired = "Expired"
	// ReasonSuperseded: a newer Promotion to the same Environment started first.
	ReasonSuperseded = "Superseded"
	// ReasonCancelled: cancelled or deleted.
	ReasonCancelled = "Cancelled"
	// ReasonInvalid: cannot be carried out; the message says what to change.
	ReasonInvalid = "Invalid"
	// ReasonRolledBack: the rollout failed, and what ran before runs again.
	ReasonRolledBack = "RolledBack"
	// ReasonFailed: the rollout did not become healthy in time, or a check failed.
	ReasonFailed = "Failed"
)

// Reasons of a Promotion's Approved condition.
const (
	ReasonRulesMet    = "RulesMet"
	ReasonRulesNotMet = "RulesNotMet"
)

// Reasons of a Promotion's Overridden condition.
const (
	ReasonUnacknowledged = "Unacknowledged"
	ReasonAcknowledged   = "Acknowledged"
)

const (
	// AnnotationHold on a namespace holds every Environment of the project; on an Environment, that one. Its value is the reason.
	AnnotationHold = "assent.dev/hold"
	// AnnotationRerunChecks on a Promotion makes its checks run again whenever its value changes.
	AnnotationRerunChecks = "assent.dev/rerun-checks"
	// AnnotationCheckHosts on a Secret lists the hosts, separated by commas, that a check may send it to.
	AnnotationCheckHosts = "assent.dev/check-hosts"
	// AnnotationSourceHosts on a Secret of type kubernetes.io/basic-auth lists the hosts, separated by commas, that a source may send it to.
	AnnotationSourceHosts = "assent.dev/source-hosts"
	// SecretTypeValues is the type that a Secret must have for an Environment to take Helm values from it.
	SecretTypeValues = "assent.dev/values" //nolint:gosec // the name of a type, not a secret
	// AnnotationWave on an object of a Release is its wave: a whole number from -1000 to 1000. A wave begins when the one before it is healthy, and its Jobs are complete. Default: 0.
	AnnotationWave = "assent.dev/wave"
	// AnnotationImmutable on an object of a Release says with the value Recreate that it may be deleted and created again where a change cannot be made otherwise.
	AnnotationImmutable = "assent.dev/immutable"
	// ImmutableRecreate is the only value of AnnotationImmutable.
	ImmutableRecreate = "Recreate"
	// AnnotationRerun on a Job of a Release says with the value Always that each rollout runs it anew, even if it has not changed.
	AnnotationRerun = "assent.dev/rerun"
	// RerunAlways is the only value of AnnotationRerun.
	RerunAlways = "Always"
	// AnnotationPromotionUID on a Job that is run anew says for which Promotion it was.
	AnnotationPromotionUID = "assent.dev/promotion-uid"
	// LabelLock on an applied object and on its pods says that nobody else may change it; its value is the Environment. On a target namespace its value is the
	// project that may lock objects there.
	LabelLock = "assent.dev/lock"
	// PromoterServiceAccount of a project is who automatic promotions are requested as.
	PromoterServiceAccount = "assent-promoter"
	// CheckerServiceAccount of a project is who the Jobs of checks are created as.
	CheckerServiceAccount = "assent-checker"
	// LabelEnvironment on an applied object names the Environment that applied it; on an audit record, the one whose history it belongs to.
	LabelEnvironment = "assent.dev/environment"
	// LabelProject on an applied object names the project of that Environment.
	LabelProject = "assent.dev/project"
	// LabelPromotionUID on an audit record is the UID of the promotion that it speaks of.
	LabelPromotionUID = "assent.dev/promotion-uid"
	// ExtraPromotion is the key in the impersonated identity that names the promotion: NAMESPACE/NAME/UID.
	ExtraPromotion = "assent.dev/promotion"
	// FieldManager is the manager of every field that a rollout applies.
	FieldManager = "assent"
	// ControllerUsername is the operator's own service account. The guard knows it by this name.
	ControllerUsername = "system:serviceaccount:assent-system:assent-controller"
)

// Verbs on Environments that Kubernetes RBAC grants and the guard asks for.
const (
	VerbPromote  = "promote"
	VerbRollback = "rollback"
	VerbApprove  = "approve"
	VerbOverride = "override"
	VerbResume   = "resume"
	// VerbUnblock is asked for on Releases.
	VerbUnblock = "unblock"
)

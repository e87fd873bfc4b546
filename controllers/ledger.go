// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
)

var (
	// errBusy says that another rollout's intent is open.
	errBusy = errors.New("another rollout is on record in this environment")
	// errOver says that the promotion's own rollout has ended.
	errOver = errors.New("the end of this rollout is on record")
)

// appendAttempts is how often a record is sealed anew because somebody else wrote one first.
const appendAttempts = 10

// Ledger reads and appends the histories of Environments. What it remembers of them only saves reads: whether a record
// may be written is decided by the API server, which creates each sequence number once.
type Ledger struct {
	client client.Client
	reader client.Reader
	lines  io.Writer

	mu    sync.Mutex
	known map[types.NamespacedName]audit.State
	// doubtful are the sequence numbers of records that were sent and not answered: they may be there, or come to be. What is known up to there does not say how
	// far a history is.
	doubtful map[types.NamespacedName]int64
}

// NewLedger returns a Ledger that writes with c, reads with live, and prints each record as a line of JSON to lines.
func NewLedger(c client.Client, live client.Reader, lines io.Writer) *Ledger {
	return &Ledger{client: c, reader: live, lines: lines, known: map[types.NamespacedName]audit.State{}, doubtful: map[types.NamespacedName]int64{}}
}

// Known is the state of an Environment's history as this process last saw it; false where it has not seen it, or has sent a record since of which it does not know
// what has become.
func (l *Ledger) Known(environment types.NamespacedName) (audit.State, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	state, found := l.known[environment]
	return state, found && state.Head.Sequence >= l.doubtful[environment]
}

// State of an Environment's history now. Hint is where the Environment's status says that it stood, with no rollout open.
func (l *Ledger) State(ctx context.Context, environment types.NamespacedName, hint v1alpha1.AuditHead) (audit.State, error) {
	state, found := l.Known(environment)
	switch {
	case found && state.Head.Sequence >= hint.Sequence:
	case hint.Sequence > 0:
		state = audit.State{Head: hint}
	default:
		var err error
		if state, err = l.list(ctx, environment); err != nil {
			return audit.State{}, err
		}
	}
	for {
		record := &v1alpha1.AuditRecord{}
		name := audit.Name(environment.Name, state.Head.Sequence+1)
		err := l.reader.Get(ctx, types.NamespacedName{Namespace: environment.Namespace, Name: name}, record)
		if apierrors.IsNotFound(err) {
			break
		}
		if err != nil {
			return audit.State{}, fmt.Errorf("read audit record %q: %w", name, err)
		}
		state = state.Follow(record)
	}
	l.remember(environment, state)
	return state, nil
}

// Append writes the next record of an Environment's history. An intent is refused with errBusy while another is open, and with errOver after its end.
// A record that the promotion has in the history already is returned as it is: of each kind it has one, whoever has written it, but for corrections.
func (l *Ledger) Append(ctx context.Context, project string, hint v1alpha1.AuditHead, entry v1alpha1.AuditRecordSpec) (*v1alpha1.AuditRecord, error) {
	return l.appendAfter(ctx, project, hint, unproved, entry)
}

// unproved says that nobody has looked yet whether a record is there.
const unproved = -1

// appendAfter is Append for a caller who knows that up to a sequence number there is no such record of the promotion.
func (l *Ledger) appendAfter(ctx context.Context, project string, hint v1alpha1.AuditHead, proved int64, entry v1alpha1.AuditRecordSpec) (*v1alpha1.AuditRecord, error) {
	environment := types.NamespacedName{Namespace: project, Name: entry.Environment}
	for attempt := range appendAttempts {
		state, certain := l.remembered(environment, hint, proved, entry)
		if !certain || attempt > 0 {
			var err error
			if state, err = l.State(ctx, environment, hint); err != nil {
				return nil, err
			}
			if found, err := l.already(ctx, project, state, entry); found != nil || err != nil {
				return found, err
			}
		}
		record, err := audit.Seal(project, state.Head, entry)
		if err != nil {
			return nil, err
		}
		err = l.client.Create(ctx, record)
		if apierrors.IsAlreadyExists(err) {
			continue
		}
		if err != nil {
			l.doubt(environment, record.Spec.Sequence)
			return nil, fmt.Errorf("write audit record %q: %w", record.Name, err)
		}
		l.remember(environment, state.Follow(record))
		l.print(record)
		return record, nil
	}
	return nil, fmt.Errorf("write audit record of environment %q: %d others were written first", entry.Environment, appendAttempts)
}

// remembered is the state that this process last saw, and whether an entry may follow it without another look: it is the intent of a promotion that was proved
// by then to have nothing on record, with no rollout open, or the outcome of the rollout that is open. If somebody else has written since, that has taken the number.
func (l *Ledger) remembered(environment types.NamespacedName, hint v1alpha1.AuditHead, proved int64, entry v1alpha1.AuditRecordSpec) (state audit.State, certain bool) {
	state, _ = l.Known(environment)
	switch {
	case state.Head.Sequence < hint.Sequence:
		return state, false
	case entry.Type == v1alpha1.AuditIntent:
		return state, state.Open == nil && state.Head.Sequence == proved
	}
	return state, audit.IsOutcome(entry.Type) && state.Open != nil && state.Open.Spec.Promotion.UID == entry.Promotion.UID
}

// already finds the record that an entry would be written a second time of. Another process may have written it: one that took over, or one that does not
// know yet that it was taken over from. The state is the one that the entry would follow, so that what is written after it makes the write fail.
func (l *Ledger) already(ctx context.Context, project string, state audit.State, entry v1alpha1.AuditRecordSpec) (*v1alpha1.AuditRecord, error) {
	own := state.Open != nil && state.Open.Spec.Promotion.UID == entry.Promotion.UID
	switch {
	case entry.Type == v1alpha1.AuditIntent && own:
		return state.Open, nil
	case entry.Type == v1alpha1.AuditIntent && state.Open != nil:
		return nil, errBusy
	case entry.Type == v1alpha1.AuditCorrected:
		return nil, nil // there may be many
	}
	records, err := l.Of(ctx, project, types.UID(entry.Promotion.UID))
	if err != nil {
		return nil, err
	}
	over := slices.ContainsFunc(records, func(record v1alpha1.AuditRecord) bool { return audit.Ends(record.Spec.Type) })
	if entry.Type == v1alpha1.AuditIntent && over {
		return nil, errOver // its intent may be there, too, and is of what has ended
	}
	for i := range records {
		if there := records[i].Spec.Type; there == entry.Type || audit.Ends(there) && audit.Ends(entry.Type) {
			return &records[i], nil
		}
	}
	return nil, nil
}

// Of is what the history says of one promotion, read live.
func (l *Ledger) Of(ctx context.Context, project string, promotion types.UID) ([]v1alpha1.AuditRecord, error) {
	var records v1alpha1.AuditRecordList
	if err := l.reader.List(ctx, &records, client.InNamespace(project), client.MatchingLabels{v1alpha1.LabelPromotionUID: string(promotion)}); err != nil {
		return nil, fmt.Errorf("read the audit records of a promotion: %w", err)
	}
	return records.Items, nil
}

// list reads a whole history; needed once for an Environment whose status does not say where it stands.
func (l *Ledger) list(ctx context.Context, environment types.NamespacedName) (audit.State, error) {
	var records v1alpha1.AuditRecordList
	if err := l.reader.List(ctx, &records, client.InNamespace(environment.Namespace), client.MatchingLabels{v1alpha1.LabelEnvironment: environment.Name}); err != nil {
		return audit.State{}, fmt.Errorf("read the history of environment %q: %w", environment.Name, err)
	}
	state := audit.State{}
	for i := range records.Items { // the API server lists by name, and names sort by sequence
		state = state.Follow(&records.Items[i])
	}
	return state, nil
}

// Settled lets go of a rollout that the Environment knows of.
func (l *Ledger) Settled(environment types.NamespacedName, outcome *v1alpha1.AuditRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	state := l.known[environment]
	if state.Ended.Outcome != nil && state.Ended.Outcome.Spec.Sequence <= outcome.Spec.Sequence {
		state.Ended = audit.Rollout{}
		l.known[environment] = state
	}
}

func (l *Ledger) remember(environment types.NamespacedName, state audit.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known[environment].Head.Sequence <= state.Head.Sequence {
		l.known[environment] = state
	}
	if l.doubtful[environment] <= state.Head.Sequence {
		delete(l.doubtful, environment)
	}
}

// doubt that what is known of a history is all of it, until a record of that number is seen.
func (l *Ledger) doubt(environment types.NamespacedName, number int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubtful[environment] = max(l.doubtful[environment], number)
}

// print hands the record to whoever ships standard output. The record in the API server is the one that counts.
func (l *Ledger) print(record *v1alpha1.AuditRecord) {
	line, err := json.Marshal(struct {
		Project string                    `json:"project"`
		Audit   *v1alpha1.AuditRecordSpec `json:"audit"`
	}{record.Namespace, &record.Spec})
	if err != nil {
		return
	}
	_, _ = l.lines.Write(append(line, '\n')) // standard output is best effort
}

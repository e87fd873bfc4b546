// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// objects of a repository by hash. A hash is computed from what was received, with the detection of forged SHA-1, so an object is what its
// hash says.
type objects map[plumbing.Hash]gitObject

type gitObject struct {
	kind plumbing.ObjectType
	data []byte
}

func (o objects) has(hash plumbing.Hash) bool {
	_, found := o[hash]
	return found
}

// objectOverhead is what an object costs beside its bytes, so that millions of empty ones do not come for free.
const objectOverhead = 512

// pack is a pack while it is read. The library's own parser holds whatever a pack inflates to; this one stops at the budget.
type pack struct {
	scanner  *packfile.Scanner
	found    objects
	byOffset map[int64]gitObject
	// waiting are deltas by the hash of their base, which has not been seen yet.
	waiting   map[plumbing.Hash][]waitingDelta
	maxBytes  int64
	remaining int64
}

type waitingDelta struct {
	offset int64
	delta  []byte
}

// unpackObjects reads a pack. An answer that is none gives errRefused.
func unpackObjects(from io.Reader, maxBytes int64) (objects, error) {
	p := &pack{
		scanner: packfile.NewScanner(from), found: objects{}, byOffset: map[int64]gitObject{}, waiting: map[plumbing.Hash][]waitingDelta{},
		maxBytes: maxBytes, remaining: maxBytes,
	}
	_, count, err := p.scanner.Header()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRefused, err)
	}
	for range count {
		if err := p.next(); err != nil {
			return nil, packError(err)
		}
	}
	if _, err := p.scanner.Checksum(); err != nil {
		return nil, packError(err)
	}
	if err := p.settle(); err != nil {
		return nil, packError(err)
	}
	return p.found, nil
}

func packError(err error) error {
	return fmt.Errorf("the pack cannot be read: %w", err)
}

func (p *pack) next() error {
	header, err := p.scanner.NextObjectHeader()
	if err != nil {
		return err
	}
	if err := p.spend(header.Length); err != nil {
		return err
	}
	var inflated bytes.Buffer
	if _, _, err := p.scanner.NextObject(&inflated); err != nil {
		return err
	}
	if int64(inflated.Len()) != header.Length {
		return packfile.ErrMalformedPackFile
	}
	switch header.Type {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
		p.add(header.Offset, gitObject{kind: header.Type, data: inflated.Bytes()})
		return nil
	case plumbing.OFSDeltaObject:
		base, found := p.byOffset[header.OffsetReference]
		if !found {
			return errors.New("a delta stands on an object that is not there")
		}
		_, err := p.apply(base, header.Offset, inflated.Bytes())
		return err
	case plumbing.REFDeltaObject:
		base, found := p.found[header.Reference]
		if !found {
			p.waiting[header.Reference] = append(p.waiting[header.Reference], waitingDelta{offset: header.Offset, delta: inflated.Bytes()})
			return nil
		}
		_, err := p.apply(base, header.Offset, inflated.Bytes())
		return err
	case plumbing.InvalidObject, plumbing.AnyObject:
	}
	return packfile.ErrMalformedPackFile
}

func (p *pack) spend(size int64) error {
	if size > p.remaining-objectOverhead {
		return &limitError{"is larger than " + digits(p.maxBytes) + " bytes when it is unpacked"}
	}
	p.remaining -= size + objectOverhead
	return nil
}

func (p *pack) add(offset int64, object gitObject) plumbing.Hash {
	hash := plumbing.ComputeHash(object.kind, object.data)
	p.found[hash] = object
	p.byOffset[offset] = object
	return hash
}

func (p *pack) apply(base gitObject, offset int64, delta []byte) (plumbing.Hash, error) {
	size, err := deltaTarget(delta)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if err := p.spend(size); err != nil {
		return plumbing.ZeroHash, err
	}
	data, err := packfile.PatchDelta(base.data, delta)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	return p.add(offset, gitObject{kind: base.kind, data: data}), nil
}

// settle applies the deltas that came before their base. Each is looked at once, however long their chains are.
func (p *pack) settle() error {
	var ready []plumbing.Hash
	for base := range p.waiting {
		if _, found := p.found[base]; found {
			ready = append(ready, base)
		}
	}
	for len(ready) > 0 {
		base := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		deltas := p.waiting[base]
		delete(p.waiting, base)
		for _, one := range deltas {
			made, err := p.apply(p.found[base], one.offset, one.delta)
			if err != nil {
				return err
			}
			ready = append(ready, made)
		}
	}
	if len(p.waiting) > 0 {
		return errors.New("a delta stands on an object that is not there")
	}
	return nil
}

// deltaTarget is the size of what a delta makes: the second of the two numbers that it begins with.
func deltaTarget(delta []byte) (int64, error) {
	_, first := binary.Uvarint(delta)
	size, second := binary.Uvarint(delta[max(first, 0):]) // where the first is no number, this is none either
	if second <= 0 {
		return 0, packfile.ErrInvalidDelta
	}
	return int64(min(size, math.MaxInt64)), nil
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// World is what one viewer may see at a moment. Viewers who may see the same share it: nobody changes it, nor what it holds.
type World struct {
	// Environments, Releases and Promotions are in the order of their projects and names. Of Promotions there are those that have not ended, and of each
	// Environment the one that has ended last.
	Environments []*v1alpha1.Environment
	Releases     []*v1alpha1.Release
	Promotions   []*v1alpha1.Promotion
	// Projects are those that the viewer may see, in their order.
	Projects []string
	// Stale says why this is not what the API server has now; empty where it is.
	Stale string
}

// Context is who looks, and when.
type Context struct {
	// Base is the path that the dashboard stands under, without a slash at the end; empty at the root.
	Base string
	// Me is the signed-in person, as the API server names them.
	Me  v1alpha1.Person
	Now time.Time
	// Rows of matrices that were made before, for those of which nothing has changed; nil for none.
	Rows *Rows
}

// View is what a page shows: a body with slots, and the parts that stand in them.
type View struct {
	// Title of the document.
	Title string
	// Template is the name of the template of the body. It is executed once, with the View, and has an element with an ID for each slot.
	Template string
	// Data for that template, beside the slots.
	Data  any
	Slots []Slot
	seal  seal
}

// Slot is an element of the body whose children are parts, and nothing else.
type Slot struct {
	// ID of the element.
	ID    string
	Parts []Part
}

// Part is one element, which is put in the place of its predecessor when it has changed.
type Part struct {
	// ID of the element, unique in the document.
	ID   string
	HTML template.HTML
}

// Rights are the verbs that the person holds on the object that a page shows, such as "promote" on an Environment. What is not among them may not be done.
type Rights map[string]bool

// Place names an Environment.
type Place struct{ Project, Environment string }

// Sealed is the view with the version of its slots taken once, for all who are shown it. Slots may still be added after them.
func (v View) Sealed() View {
	v.seal = seal{version: v.Version(), slots: len(v.Slots)}
	return v
}

// seal is the version of the first slots of a view.
type seal struct {
	version string
	slots   int
}

// Version differs where anything differs that a browser has of the view's parts.
func (v View) Version() string {
	digest := sha256.New()
	fmt.Fprintf(digest, "%s\n", v.seal.version)
	for _, slot := range v.Slots[v.seal.slots:] {
		fmt.Fprintf(digest, "%q\n", slot.ID)
		for _, part := range slot.Parts {
			fmt.Fprintf(digest, "%q %d %s\n", part.ID, len(part.HTML), part.HTML)
		}
	}
	return hex.EncodeToString(digest.Sum(nil)[:12])
}

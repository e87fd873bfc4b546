// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

// NoProject is the page of somebody who may see none of the projects that were asked about. They may name one: nobody but an owner knows all that there are.
func NoProject(_ Context) (View, error) {
	return View{Title: "You may see no project", Template: "noproject"}, nil
}

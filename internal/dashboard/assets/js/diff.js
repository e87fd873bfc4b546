// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// The diff works without script: two radio buttons choose the view. Script remembers what was chosen for the next page.

const key = "assent.diff-view";

function remembered() {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // a browser that keeps nothing
  }
}

function remember(view) {
  try {
    localStorage.setItem(key, view);
  } catch {
    // then it is chosen anew on the next page
  }
}

for (const input of document.querySelectorAll('input[name="diff-view"]')) {
  if (input.value === remembered()) input.checked = true;
  input.addEventListener("change", () => remember(input.value));
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// While somebody looks at a Promotion its parts are put in the place of those before. A plan that has come meanwhile must not be decided on by a click that was meant
// for the one before it: its forms do nothing until somebody says that they have looked at it. A new state is said to those who do not see the badge change.

const actions = document.getElementById("promotion-actions");
const head = document.getElementById("promotion-head");
const moved = document.getElementById("promotion-moved");

const digest = () => actions.querySelector("[data-digest]")?.dataset.digest ?? "";
const state = () => head.querySelector(".badge")?.textContent.trim() ?? "";

// looked is the plan that somebody has on the screen knowingly.
let looked = "";

function guard() {
  const now = digest();
  looked ||= now; // there was no plan yet
  const other = now !== "" && now !== looked;
  moved.hidden = !other;
  for (const form of actions.querySelectorAll("form")) form.inert = other && form.querySelector("[name=digest]") !== null;
}

function watch() {
  let known = state();
  looked = digest();
  document.getElementById("promotion-looked").addEventListener("click", () => {
    looked = digest();
    guard();
  });
  document.addEventListener("assent:parts", () => {
    guard();
    if (state() !== known) {
      known = state();
      document.getElementById("promotion-said").textContent = `Now: ${known}`;
    }
  });
}

if (actions && head && moved) watch();

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// It runs before anything is painted, so that a page does not flash in the other theme, or with what is for browsers without scripts; hence it is no module.
(() => {
  const chosen = () => {
    try {
      return localStorage.getItem("theme") || "";
    } catch {
      return ""; // a browser that keeps nothing
    }
  };
  document.documentElement.classList.add("scripted");
  if (chosen()) document.documentElement.dataset.theme = chosen();

  addEventListener("DOMContentLoaded", () => {
    const select = document.getElementById("theme");
    if (!select) return;
    document.getElementById("theme-field").hidden = false;
    select.value = chosen();
    select.addEventListener("change", () => {
      if (select.value) document.documentElement.dataset.theme = select.value;
      else delete document.documentElement.dataset.theme;
      try {
        localStorage.setItem("theme", select.value);
      } catch {
        // it holds for this page alone
      }
    });
  });
})();

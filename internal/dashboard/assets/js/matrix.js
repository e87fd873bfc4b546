// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// The matrix filters while somebody types, and versions can be dragged to where they shall run. Both are possible without: by the form, and on the page of a Release.

import { follow } from "./live.js";
import { trusted } from "./parts.js";

const pause = 150;

function filters(page) {
  const form = page.querySelector("#filters");
  let timer = 0;
  let asked = null;
  const now = () => {
    clearTimeout(timer);
    show();
  };
  form.addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(show, event.target.localName === "select" ? 0 : pause);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    now();
  });

  async function show() {
    const url = new URL(form.action);
    for (const [name, value] of new FormData(form)) if (value.trim()) url.searchParams.set(name, value.trim());
    asked?.abort();
    asked = new AbortController();
    let answer;
    try {
      answer = await fetch(url, { signal: asked.signal, headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
      put(new DOMParser().parseFromString(trusted.createHTML(await answer.text()), "text/html"));
    } catch (error) {
      if (error.name !== "AbortError") location.assign(url); // whatever it is, the server says it
      return;
    }
    history.replaceState(null, "", url);
    const { base } = document.body.dataset;
    document.body.dataset.here = url.pathname.slice(base.length) + url.search;
    follow(document.body.dataset.here);
  }

  function put(read) {
    const elements = [];
    document.body.dataset.version = read.body.dataset.version;
    for (const id of ["matrix-figures", "matrix"]) {
      const next = read.getElementById(id);
      if (!next) throw new Error("this is another page");
      document.getElementById(id).replaceWith(document.adoptNode(next));
      elements.push(next);
    }
    document.dispatchEvent(new CustomEvent("assent:parts", { detail: { elements } }));
    page.querySelector("#matrix-said").textContent = page.querySelector("#figures li").textContent;
  }
}

function promotions(page) {
  const dialog = page.querySelector("#promote");
  const may = () => new Set((page.querySelector("#matrix").dataset.may || "").split(" "));
  let dragged = null;

  // targets of a version in its row: where the person may promote to, and where it does not run already.
  const targets = (from, allowed = may()) => {
    const project = from.closest("tr").dataset.project;
    return [...from.closest("tr").querySelectorAll(".at")].filter((at) => at.dataset.release !== from.dataset.release && allowed.has(`${project}/${at.dataset.at}`));
  };

  const prepare = (root) => {
    const allowed = may();
    for (const from of root.querySelectorAll("[data-release]")) {
      if (!from.closest("tr")) continue;
      const able = targets(from, allowed).length > 0;
      from.draggable = able;
      from.classList.toggle("may", able);
    }
  };
  prepare(page);
  document.addEventListener("assent:parts", (event) => event.detail.elements.forEach(prepare));

  const ask = (from, to) => {
    const form = dialog.querySelector("form");
    const project = from.closest("tr").dataset.project;
    const all = targets(from);
    if (all.length === 0) return;
    const next = all.find((at) => from.compareDocumentPosition(at) & Node.DOCUMENT_POSITION_FOLLOWING) ?? all[0];
    form.action = `${form.dataset.path}/${encodeURIComponent(project)}/promotions`;
    form.elements.release.value = from.dataset.release;
    form.elements.environment.replaceChildren(...all.map((at) => new Option(at.dataset.at, at.dataset.at, at === (to ?? next), at === (to ?? next))));
    form.querySelector("[data-slot=version]").textContent = `${from.closest("tr").querySelector("th").firstChild.textContent.trim()} ${from.dataset.version}`;
    form.querySelector("[data-slot=release]").textContent = from.dataset.release;
    dialog.showModal();
  };

  page.addEventListener("click", (event) => {
    const go = event.target.closest(".go");
    if (!go || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    ask(go.closest("[data-release]"));
  });

  page.addEventListener("dragstart", (event) => {
    const from = event.target.closest?.("[data-release][draggable=true]");
    if (!from) return;
    dragged = from;
    event.dataTransfer.effectAllowed = "copy";
    event.dataTransfer.setData("text/plain", from.dataset.release);
    event.dataTransfer.setDragImage(from, 10, 10);
    from.classList.add("dragging");
    for (const at of targets(from)) at.classList.add("may-drop");
  });
  const over = (event) => (dragged ? event.target.closest?.(".may-drop") : null);
  page.addEventListener("dragover", (event) => {
    const at = over(event);
    for (const other of page.querySelectorAll(".would-drop")) if (other !== at) other.classList.remove("would-drop");
    if (!at) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    at.classList.add("would-drop");
  });
  page.addEventListener("drop", (event) => {
    const at = over(event);
    if (!at) return;
    event.preventDefault();
    ask(dragged, at);
  });
  page.addEventListener("dragend", () => {
    dragged = null;
    for (const name of ["dragging", "may-drop", "would-drop"]) page.querySelectorAll(`.${name}`).forEach((element) => element.classList.remove(name));
  });
}

const page = document.querySelector(".matrix-page");
if (page) {
  filters(page);
  promotions(page);
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// One stream for each page. The server sends
//   parts   {title, slots: {SLOT: {order: [ID…], changed: {ID: HTML}}}}: what has changed; without an order, a slot keeps it
//   stale   why what is shown may be out of date, as JSON text; empty once it is not any more
//   reload  the page has to be asked for anew
//   gone    nobody is signed in any more
// and is asked again, less and less often, when the connection is lost. It is told which version of the page the browser has, and begins with what differs.

import { replacePart } from "./parts.js";

const patience = 4000;
const longest = 30_000;

let source = null;
let wait = 1000;
let timer = 0;
let lostTimer = 0;
let here = "";

// follow the changes of a page, which is named by its path and query below the base. Before, another may have been followed.
export function follow(page) {
  here = page;
  if (here) open();
}

function open() {
  clearTimeout(timer);
  source?.close();
  const { base, version } = document.body.dataset;
  source = new EventSource(`${base}/live?page=${encodeURIComponent(here)}&version=${encodeURIComponent(version)}`);
  source.addEventListener("open", () => {
    wait = 1000;
    clearTimeout(lostTimer);
    lostTimer = 0;
    connection("live", "Live");
    note("lost", "");
  });
  source.addEventListener("error", lost);
  source.addEventListener("parts", (event) => {
    put(JSON.parse(event.data));
    if (event.lastEventId) document.body.dataset.version = event.lastEventId;
  });
  source.addEventListener("stale", (event) => note("stale", JSON.parse(event.data)));
  source.addEventListener("reload", reload);
  source.addEventListener("gone", () => {
    source.close();
    location.reload(); // whoever is not signed in any more is led to where that is done, and back to here
  });
}

// lost connection. The browser tries again by itself where the server was there and is not any more, and not where it has refused.
function lost() {
  connection("lost", "Reconnecting…");
  if (!lostTimer) lostTimer = setTimeout(() => note("lost", "The connection is lost. What you see may be out of date."), patience);
  if (source.readyState !== EventSource.CLOSED) return;
  clearTimeout(timer);
  timer = setTimeout(again, wait * (0.75 + Math.random() / 2));
  wait = Math.min(wait * 2, longest);
}

// again, unless the page itself is not to be had any more: then that says why.
async function again() {
  try {
    const answer = await fetch(location.href, { method: "HEAD", redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect" || answer.status === 401) {
      location.reload();
      return;
    }
  } catch {
    // nobody answers; the stream will not be answered either, and then it is tried again
  }
  open();
}

function connection(state, text) {
  const badge = document.getElementById("connection");
  if (!badge || badge.dataset.state === state) return;
  badge.dataset.state = state;
  badge.textContent = text;
}

// note at the head of the page; each kind has one at most.
function note(kind, text) {
  const notes = document.getElementById("frame-notes");
  if (!notes) return;
  const known = notes.querySelector(`[data-kind="${kind}"]`);
  if (!text) {
    known?.remove();
    return known;
  }
  const shown = known ?? document.createElement("p");
  shown.className = "note note-wait";
  shown.dataset.kind = kind;
  shown.textContent = text;
  if (!known) notes.append(shown);
  return shown;
}

// reload, but not away from under somebody's hands.
function reload() {
  if (!busy()) {
    location.reload();
    return;
  }
  const shown = note("reload", "There is a newer state of this page.");
  const button = document.createElement("button");
  button.className = "button button-small";
  button.textContent = "Show it";
  button.addEventListener("click", () => location.reload());
  shown?.append(" ", button);
}

function busy() {
  if (document.querySelector("dialog[open]")) return true;
  return [...document.querySelectorAll("form[method=post] :is(input, textarea)")].some((field) => field.type !== "hidden" && field.value !== field.defaultValue);
}

function put({ title, slots }) {
  if (title) document.title = `${title} – Assent`;
  const elements = [];
  for (const [slotID, { order, changed }] of Object.entries(slots ?? {})) {
    const slot = document.getElementById(slotID);
    if (!slot) {
      reload();
      return;
    }
    const fresh = new Map();
    for (const [id, html] of Object.entries(changed ?? {})) {
      const element = replacePart(id, html);
      if (element) fresh.set(id, element);
    }
    if (order) arrange(slot, order, fresh);
    elements.push(...fresh.values());
  }
  document.dispatchEvent(new CustomEvent("assent:parts", { detail: { elements } }));
}

// arrange the children of a slot, moving as few as possible: what is moved loses the focus.
function arrange(slot, order, fresh) {
  const wanted = new Set(order);
  for (const child of [...slot.children]) if (!wanted.has(child.id)) child.remove();
  let at = slot.firstElementChild;
  for (const id of order) {
    const element = fresh.get(id) ?? document.getElementById(id);
    if (!element) continue;
    if (element === at) at = at.nextElementSibling;
    else slot.insertBefore(element, at);
  }
}

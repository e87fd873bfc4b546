// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// A part of a page is replaced without taking away what somebody does with it: where the focus is, what is selected, folded out, half filled in or scrolled.

// trusted is the one way by which HTML gets into a page: the browser refuses every other.
export const trusted = globalThis.trustedTypes?.createPolicy("assent", { createHTML: (html) => html }) ?? { createHTML: (html) => html };

// replacePart by the server's HTML, and return the new element. One that is not in the page yet is not put there.
export function replacePart(id, html) {
  const template = document.createElement("template");
  template.innerHTML = trusted.createHTML(html); // the server's own, which has escaped it
  const next = template.content.firstElementChild;
  const last = document.getElementById(id);
  if (!next || !last) return next;
  const kept = keep(last);
  last.replaceWith(next);
  restore(next, kept);
  return next;
}

// addressOf an element in a part: by its ID, else by what it is, and the how manyeth of those.
function addressOf(element, root) {
  if (element.id) return { id: element.id };
  const selector = selectorOf(element);
  return { selector, index: [...root.querySelectorAll(selector)].indexOf(element) };
}

function selectorOf(element) {
  const tag = element.localName;
  for (const name of ["data-key", "name", "href", "data-at"]) {
    if (element.hasAttribute(name)) return `${tag}[${name}="${CSS.escape(element.getAttribute(name))}"]`;
  }
  return tag;
}

function find(root, { id, selector, index }) {
  if (id) return root.id === id ? root : root.querySelector(`#${CSS.escape(id)}`);
  return root.querySelectorAll(selector)[index];
}

function keep(root) {
  const kept = { fields: [], details: [], dialogs: [], scrolled: [] };
  const focused = document.activeElement;
  if (focused && focused !== root && root.contains(focused)) {
    kept.focus = addressOf(focused, root);
    if (typeof focused.selectionStart === "number") kept.selection = [focused.selectionStart, focused.selectionEnd, focused.selectionDirection];
  }
  for (const field of root.querySelectorAll("input, textarea, select")) {
    if (changed(field)) kept.fields.push([addressOf(field, root), field.value, field.checked]);
  }
  for (const details of root.querySelectorAll("details")) kept.details.push([addressOf(details, root), details.open]);
  for (const dialog of root.querySelectorAll("dialog[open]")) kept.dialogs.push(addressOf(dialog, root));
  for (const element of root.querySelectorAll(".scrolls, pre, [tabindex]")) {
    if (element.scrollLeft || element.scrollTop) kept.scrolled.push([addressOf(element, root), element.scrollLeft, element.scrollTop]);
  }
  return kept;
}

// changed says whether somebody has given a field another value than the server has.
function changed(field) {
  if (field.type === "hidden") return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.localName === "select") return [...field.options].some((option) => option.selected !== option.defaultSelected);
  return field.value !== field.defaultValue;
}

function restore(root, kept) {
  for (const [address, value, checked] of kept.fields) {
    const field = find(root, address);
    if (!field) continue;
    if (field.type === "checkbox" || field.type === "radio") field.checked = checked;
    else field.value = value;
  }
  for (const [address, open] of kept.details) {
    const details = find(root, address);
    if (details) details.open = open;
  }
  for (const address of kept.dialogs) find(root, address)?.showModal?.();
  for (const [address, left, top] of kept.scrolled) find(root, address)?.scrollTo(left, top);
  if (!kept.focus) return;
  const focused = find(root, kept.focus);
  focused?.focus({ preventScroll: true });
  if (kept.selection && focused && typeof focused.selectionStart === "number") focused.setSelectionRange(...kept.selection);
}

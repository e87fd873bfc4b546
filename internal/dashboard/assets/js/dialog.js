// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Forms with data-confirm are asked about before they are sent, forms are sent once, buttons with data-opens="ID" open that dialog and those with data-close close theirs.

const confirmed = new WeakSet();
const sent = new WeakSet();

// watchForms of the whole document, those that come later among them.
export function watchForms() {
  document.addEventListener("submit", onSubmit);
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeMenus(null, true);
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("form").forEach((form) => sent.delete(form)); // gone back to
  });
}

function onSubmit(event) {
  const { target: form, submitter } = event;
  if (form.method !== "post") return;
  const question = submitter?.dataset.confirm ?? form.dataset.confirm;
  if (question && !confirmed.has(form)) {
    event.preventDefault();
    ask(question, submitter?.textContent.trim() || "Yes", () => {
      confirmed.add(form);
      form.requestSubmit(submitter);
      confirmed.delete(form);
    });
    return;
  }
  if (sent.has(form)) event.preventDefault();
  sent.add(form);
}

function ask(question, yes, then) {
  const dialog = document.createElement("dialog");
  const text = document.createElement("p");
  text.id = "confirm-question";
  text.textContent = question;
  dialog.setAttribute("aria-labelledby", text.id);
  const buttons = document.createElement("p");
  buttons.className = "row";
  const add = (label, kind, act) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `button ${kind}`;
    button.textContent = label;
    button.addEventListener("click", () => {
      dialog.close();
      act?.();
    });
    buttons.append(button);
  };
  add(yes, "button-main", then);
  add("Cancel", "");
  const stack = document.createElement("div");
  stack.className = "stack";
  stack.append(text, buttons);
  dialog.append(stack);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function onClick(event) {
  const { target } = event;
  if (!(target instanceof Element)) return;
  closeMenus(target);
  if (target.localName === "dialog" && target.open && outside(event, target)) target.close();
  if (target.closest("[data-close]")) target.closest("dialog")?.close();
  const opens = target.closest("[data-opens]");
  if (!opens) return;
  const dialog = document.getElementById(opens.dataset.opens);
  if (dialog?.showModal) {
    event.preventDefault();
    dialog.showModal();
  }
}

function outside(event, dialog) {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom;
}

// closeMenus but the one that an element is in.
function closeMenus(but, refocus) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (but && menu.contains(but)) continue;
    const inside = menu.contains(document.activeElement);
    menu.open = false;
    if (refocus && inside) menu.querySelector("summary").focus();
  }
}

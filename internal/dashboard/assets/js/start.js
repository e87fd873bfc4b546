// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// The earliest start that a form asks for, in the viewer's own time. Without scripts it is in UTC, as the form says: a field of that name carries the offset.

// offsetOf a local time from UTC, such as +02:00: that of the day that was chosen, not of today.
export function offsetOf(local) {
  const minutes = -local.getTimezoneOffset();
  if (Number.isNaN(minutes)) return "Z";
  const two = (number) => String(number).padStart(2, "0");
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

// tellZones says which zone the fields of an element are in.
function tellZones(root) {
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const told of root.querySelectorAll("[data-zone]")) told.textContent = `in your time zone (${zone})`;
}

// It is set when the form is sent: until then the field may have been put in the place of another.
function setOffset(event) {
  const { at, offset } = event.target.elements ?? {};
  if (at?.type === "datetime-local" && offset && at.value) offset.value = offsetOf(new Date(at.value));
}

if (globalThis.document) {
  tellZones(document);
  document.addEventListener("assent:parts", (event) => event.detail.elements.forEach(tellZones));
  document.addEventListener("submit", setOffset, true);
}

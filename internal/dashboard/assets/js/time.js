// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Times in the words and the zone of the viewer. The server writes <time datetime="…"> with one of
//   data-age     how long ago it was: "3 h ago"
//   data-until   how long it is until then: "in 3 h"
//   data-moment  when it is: "Monday 09:00"
// and UTC as the text, which is what stands there without scripts.

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

// lengthOf a number of seconds, in its largest unit.
export function lengthOf(seconds) {
  const [size, unit] = seconds < hour ? [minute, "min"] : seconds < 2 * day ? [hour, "h"] : seconds < 60 * day ? [day, "d"] : seconds < 730 * day ? [30 * day, "months"] : [365 * day, "years"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

// ageOf a time, as of now; both are Dates, or milliseconds.
export function ageOf(at, now) {
  const seconds = (now - at) / 1000;
  if (seconds < -minute) return `in ${lengthOf(-seconds)}`;
  return seconds < minute ? "just now" : `${lengthOf(seconds)} ago`;
}

// untilText is how long it is until a time.
export function untilText(at, now) {
  const seconds = (at - now) / 1000;
  if (seconds <= 0) return "now";
  return seconds < minute ? "in less than a minute" : `in ${lengthOf(seconds)}`;
}

// momentText is as short as it can be without being another moment. The zone is for tests.
export function momentText(at, now, timeZone) {
  const format = (time, options) => formatOf({ timeZone, ...options }).format(time).replace(", ", " ").replace(" at ", " ");
  const date = { day: "numeric", month: "short", year: "numeric" };
  const far = Math.abs(at - now) / 1000;
  if (format(at, date) === format(now, date)) return format(at, clock);
  if (far < 6 * day && at > now) return format(at, { ...clock, weekday: "long" });
  if (far < 300 * day) return format(at, { ...clock, day: "numeric", month: "short" });
  return format(at, { ...clock, ...date });
}

const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const formats = new Map();

// formatOf some options is made once: that takes longer than all that it formats.
function formatOf(options) {
  const key = JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", options));
  return formats.get(key);
}

const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

// tellTimes of an element, and of all below it. A matrix has thousands of them: what is not needed of each is left for when it is.
export function tellTimes(root) {
  const now = new Date();
  if (root.matches?.("time[datetime]")) tell(root, now);
  for (const time of root.querySelectorAll("time[datetime]")) tell(time, now);
}

function tell(time, now) {
  const word = time.hasAttribute("data-age") ? ageOf : time.hasAttribute("data-until") ? untilText : time.hasAttribute("data-moment") ? momentText : null;
  const at = Date.parse(time.getAttribute("datetime"));
  if (!word || Number.isNaN(at)) return;
  const text = word(at, now);
  if (time.textContent !== text) time.textContent = text;
}

// explainTimes in full, to whoever points at them.
export function explainTimes() {
  document.addEventListener("pointerover", ({ target }) => {
    const time = target.closest?.("time[datetime]");
    if (time && !time.title) time.title = full.format(Date.parse(time.dateTime));
  });
}

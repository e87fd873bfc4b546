// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// The dashboard works without scripts; they make it quicker. What a page needs beside stands in a module of its own, which looks whether it is on its page. Whenever
// parts of a page were put in the place of others, the event "assent:parts" is sent to the document, with the new elements as detail.elements.

import { watchForms } from "./js/dialog.js";
import { follow } from "./js/live.js";
import { explainTimes, tellTimes } from "./js/time.js";

const ofPages = ["matrix", "promotion", "diff", "start"];

tellTimes(document);
document.addEventListener("assent:parts", (event) => event.detail.elements.forEach(tellTimes));
explainTimes();
setInterval(() => tellTimes(document), 10_000);

watchForms();
for (const name of ofPages) import(`./js/${name}.js`);
follow(document.body.dataset.here);

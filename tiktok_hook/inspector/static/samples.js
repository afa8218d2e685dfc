// Dialogs that need no delivery: samples, keys, clearing.

import { call } from "./api.js";
import { byId, el, fill, say } from "./dom.js";
import { told } from "./replay.js";
import { filters } from "./state.js";
import { productClass } from "./words.js";

const close = () => el("button", { type: "button", onclick: () => byId("dialog").close() }, "Close");

function show(title, ...children) {
  fill(byId("dialog"), el("h1", { id: "dialog-title" }, title), ...children);
  byId("dialog").showModal();
}

export function openSamples(samples) {
  const send = async (event) => {
    try {
      const answer = await call(`samples/${encodeURIComponent(event)}`, { method: "POST", body: {} });
      say(`Sent ${event}: ${answer.status ?? answer.error}`);
    } catch (error) {
      told(error);
    }
  };
  show("Send a sample event", el("ul", { class: "samples" }, samples.map((each) => el("li", {},
    el("button", { type: "button", "aria-label": `Send ${each.event}`, onclick: () => send(each.event) }, "Send"),
    el("b", { class: productClass(each.product) }, each.event),
    el("span", {}, each.meaning, each.mark === "documented" ? "" : ` (${each.mark})`)))), el("div", { class: "buttons" }, close()));
}

const FILES = [
  ["har", "HAR", "for the browser's network tab, proxies and other tools"],
  ["jsonl", "JSON Lines", "everything that is kept of them; `tiktok-hook import` reads it"],
  ["pytest", "pytest", "a test file that sends them to your app"],
];

// What the filters show now, as a file; `download` says what goes wrong.
export function openExport(download) {
  show("Export what the list shows", el("ul", { class: "samples" }, FILES.map(([format, name, words]) => el("li", {},
    el("button", { type: "button", "aria-label": `Download ${name}`, onclick: () => download(`export?format=${format}&${filters()}`) }, "Download"),
    el("b", {}, name), el("span", {}, words)))), el("div", { class: "buttons" }, close()));
}

export const KEYS = [["j, k", "next, previous delivery"], ["/", "search"], ["r", "replay the chosen one"], ["e", "edit and replay"], ["c", "copy the Callback URL"], ["?", "these keys"], ["Esc", "close, back to the list"]];

export function openKeys() {
  show("Keys", el("table", { class: "pairs" }, el("tbody", {}, KEYS.map(([key, words]) => el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, key)), el("td", {}, words))))), el("div", { class: "buttons" }, close()));
}

export function openClear(cleared) {
  const sure = async () => {
    try {
      const { removed } = await call("deliveries", { method: "DELETE" });
      byId("dialog").close();
      say(`${removed} deliveries removed.`);
      cleared();
    } catch (error) {
      told(error);
    }
  };
  show("Clear the history?", el("p", {}, "Every delivery and attempt is removed, in this window and for good. Export first what you want to keep."),
    el("div", { class: "buttons" }, el("button", { type: "button", onclick: () => byId("dialog").close() }, "Keep it"), el("button", { type: "button", class: "main", id: "clear-sure", onclick: sure }, "Remove everything")));
}

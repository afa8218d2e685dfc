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

// Shown in place of the lists until a token is accepted; everything else then starts.
export function openTokenForm(words, given) {
  const field = el("input", { id: "token", "aria-label": "Token or address", autocomplete: "off", spellcheck: "false", required: true });
  fill(byId("dialog"), el("form", { onsubmit: (event) => { event.preventDefault(); given(field.value); } },
    el("h1", { id: "dialog-title" }, "The inspector needs its token"),
    el("p", { class: "bad", role: "alert" }, words),
    el("p", {}, "Press ", el("kbd", {}, "o"), " in the terminal where tiktok-hook runs, or paste the inspector's address that it printed, or only the token in it."),
    field,
    el("p", { class: "dim" }, "No terminal at hand? ", el("code", {}, "tiktok-hook inspect --rotate-token"), " makes a new token and prints the addresses."),
    el("div", { class: "buttons" }, el("button", { class: "main", id: "token-send" }, "Open"))));
  if (!byId("dialog").open) byId("dialog").showModal();
  field.focus();
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

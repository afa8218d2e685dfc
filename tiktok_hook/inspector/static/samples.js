// Dialogs that need no delivery: samples and scenarios, export, keys, clearing, the token.

import { call } from "./api.js";
import { closeButton, closeDialog, openDialog, submitOnCtrlEnter } from "./dialog.js";
import { byId, el, say } from "./dom.js";
import { SIGNINGS, bodyEditor, messageOf, report, signingControls } from "./replay.js";
import { apiFilters, state } from "./state.js";
import { plural, productClass } from "./words.js";

const outcome = (sent) => sent.status ?? sent.error;

export function openSamples({ samples, scenarios }) {
  const send = async (event) => {
    try {
      const path = `samples/${encodeURIComponent(event)}`;
      say(`Sent ${event}: ${outcome(await call(path, { method: "POST", body: {} }))}`);
    } catch (error) {
      report(error);
    }
  };
  const play = async (name) => {
    try {
      const { sent } = await call(`scenarios/${name}`, { method: "POST", body: {} });
      say(`Sent ${name}: ${sent.map(outcome).join(", ")}`);
    } catch (error) {
      report(error);
    }
  };
  const button = (words, label, onclick) =>
    el("button", { type: "button", "aria-label": label, onclick }, words);
  openDialog(
    "Send a sample",
    el(
      "ul",
      { class: "samples" },
      samples.map((each) =>
        el(
          "li",
          {},
          button("Send", `Send ${each.event}`, () => send(each.event)),
          button("Edit…", `Edit ${each.event}`, () => openSample(each)),
          el("b", { class: productClass(each.product) }, each.event),
          el("span", {}, each.meaning, each.mark === "documented" ? "" : ` (${each.mark})`),
        ),
      ),
    ),
    el("h2", {}, "Scenarios: several events that share their ids"),
    el(
      "ul",
      { class: "samples" },
      scenarios.map((each) =>
        el(
          "li",
          {},
          button("Send", `Send scenario ${each.name}`, () => play(each.name)),
          el("b", {}, each.name),
          el("span", {}, each.meaning, ` (${plural(each.events.length, "event", "events")})`),
        ),
      ),
    ),
    el("div", { class: "buttons" }, closeButton()),
  );
}

// One sample before it is sent: its body, and how it is signed.
async function openSample({ event }) {
  const path = `samples/${encodeURIComponent(event)}`;
  let text;
  try {
    ({ body: text } = await call(path, { method: "POST", body: { dry_run: true } }));
  } catch (error) {
    report(error);
    return;
  }
  const editor = bodyEditor("sample", text);
  const canSign = state.status?.can_sign;
  const choices = SIGNINGS.filter(([each]) => each !== "as-is");
  const signing = signingControls(
    "sample",
    choices,
    canSign ? "fresh" : "none",
    (each) => canSign || each === "none",
  );
  const trouble = el("p", { class: "bad", role: "alert" });
  const send = el("button", { class: "main", id: "sample-send" }, "Send");
  const look = () => {
    trouble.textContent = "";
    send.disabled = false;
    try {
      return editor.edited() ?? text;
    } catch (error) {
      trouble.textContent = error.message;
      send.disabled = true;
      return null;
    }
  };
  const submit = async (submitted) => {
    submitted.preventDefault();
    const body = look();
    if (body === null) return;
    try {
      const sent = await call(path, { method: "POST", body: { body, ...signing.given() } });
      closeDialog();
      say(`Sent ${event}: ${outcome(sent)}`);
    } catch (error) {
      trouble.textContent = messageOf(error);
    }
  };
  openDialog(
    `Send ${event}`,
    el(
      "form",
      { onsubmit: submit, oninput: look, onkeydown: submitOnCtrlEnter },
      editor.fields,
      signing.fields,
      trouble,
      el("div", { class: "buttons" }, closeButton("Cancel"), send),
    ),
  );
  editor.first.focus();
  editor.first.setSelectionRange(0, 0);
}

const FILES = [
  ["har", "HAR", "for the browser's network tab, proxies and other tools"],
  ["jsonl", "JSON Lines", "everything that is stored of them; `tiktok-hook import` reads it"],
  ["pytest", "pytest", "a test file that sends them to your app"],
  ["curl", "cURL", "a shell script that sends them to your app"],
];

// What the filters show now, as a file; `download` reports what goes wrong.
export function openExport(download) {
  const button = (format, name) =>
    el(
      "button",
      {
        type: "button",
        "aria-label": `Download ${name}`,
        onclick: () => download(`export?format=${format}&${apiFilters()}`),
      },
      "Download",
    );
  openDialog(
    "Export what the list shows",
    el(
      "ul",
      { class: "samples" },
      FILES.map(([format, name, words]) =>
        el("li", {}, button(format, name), el("b", {}, name), el("span", {}, words)),
      ),
    ),
    el("div", { class: "buttons" }, closeButton()),
  );
}

const KEYS = [
  ["j, k, ↓, ↑", "next, previous delivery"],
  ["/, f", "search, filter"],
  ["x", "select the delivery; Shift+click selects several"],
  ["r", "replay the delivery"],
  ["e", "edit and replay"],
  ["Ctrl+Enter", "send what is edited"],
  ["c", "copy the Callback URL"],
  ["g", "back to the newest"],
  ["?", "these keys"],
  ["Esc", "close, back to the list"],
];

export function openKeys() {
  const rows = KEYS.map(([key, words]) =>
    el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, key)), el("td", {}, words)),
  );
  openDialog(
    "Keys",
    el("table", { class: "pairs" }, el("tbody", {}, rows)),
    el("div", { class: "buttons" }, closeButton()),
  );
}

// Deletes what the list shows: all, or what the filters in use match, as far as it was counted.
export async function openClear(cleared) {
  const query = apiFilters();
  const isAll = query.size === 0;
  const title = isAll ? "Delete the history?" : "Delete what the filters match?";
  openDialog(
    title,
    el("p", { role: "status" }, "Counting…"),
    el("div", { class: "buttons" }, closeButton("Cancel")),
  );
  const dialog = byId("dialog");
  const counting = dialog.firstElementChild;
  let found;
  let queued;
  try {
    found = await call(`count?${query}`);
    const waiting = new URLSearchParams(query);
    waiting.set("queued", "1");
    queued = found.matching ? (await call(`count?${waiting}`)).matching : 0;
  } catch (error) {
    closeDialog();
    report(error);
    return;
  }
  if (!dialog.open || dialog.firstElementChild !== counting) return; // it was closed meanwhile
  const remove = async () => {
    query.set("up_to", String(found.newest));
    try {
      const { removed } = await call(`deliveries?${query}`, { method: "DELETE" });
      closeDialog();
      say(`${plural(removed, "delivery", "deliveries")} deleted.`);
      cleared();
    } catch (error) {
      report(error);
    }
  };
  const words = plural(found.matching, "delivery", "deliveries");
  if (found.matching === 0) {
    openDialog(
      title,
      el("p", {}, isAll ? "The history is empty." : "No delivery matches the filters in use."),
      el("div", { class: "buttons" }, closeButton()),
    );
    return;
  }
  openDialog(
    title,
    el(
      "p",
      {},
      isAll
        ? `All ${words} of this history and their attempts are deleted for good. `
        : `The filters in use match ${words}. They and their attempts are deleted for good. `,
      queued ? `${queued} of them ${queued === 1 ? "waits" : "wait"} for your app. ` : null,
      "Export first what you want to keep.",
    ),
    isAll ? null : el("p", { class: "dim" }, "Reset the filters to delete everything."),
    el(
      "div",
      { class: "buttons" },
      closeButton("Cancel"),
      el(
        "button",
        { type: "button", class: "danger", id: "clear-sure", onclick: remove },
        `Delete ${words}`,
      ),
    ),
  );
}

// Shown until a token is accepted; everything else starts then.
export function openTokenForm(words, given) {
  const input = el("input", {
    id: "token",
    "aria-label": "Token or address",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
  });
  const submit = (event) => {
    event.preventDefault();
    given(input.value);
  };
  openDialog(
    "The inspector needs its token",
    el(
      "form",
      { onsubmit: submit },
      el("p", { class: "bad", role: "alert" }, words),
      el(
        "p",
        {},
        "Press ",
        el("kbd", {}, "o"),
        " in the terminal where tiktok-hook runs. Or paste the inspector's address from there, or ",
        "the token in it.",
      ),
      input,
      el(
        "p",
        { class: "dim" },
        el("code", {}, "tiktok-hook inspect --rotate-token"),
        " makes a new token and prints the addresses.",
      ),
      el("div", { class: "buttons" }, el("button", { class: "main", id: "token-send" }, "Open")),
    ),
  );
  input.focus();
}

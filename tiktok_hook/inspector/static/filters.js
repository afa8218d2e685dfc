// The search and filters above the list.

import { byId, el, fill } from "./dom.js";
import { filters, grouping, setAddress } from "./state.js";

const ANSWERS = ["200", "201", "204", "302", "400", "401", "403", "404", "405", "415", "422", "429", "500", "502", "503", "504"];

// An address may ask for what is in no list.
const unlisted = (choices, value) => (value && choices.every(([each]) => each !== value) ? [[value, value]] : []);

export function drawFilters(samples, changed) {
  const now = filters();
  const set = (changes) => { setAddress(changes); changed(); };
  let typing;
  const search = el("input", {
    type: "search", id: "search", name: "q", placeholder: "Search everything  /", "aria-label": "Search everything", value: now.get("q") ?? "",
    oninput: (event) => {
      clearTimeout(typing);
      const text = event.target.value;
      typing = setTimeout(() => set({ q: text }), 200);
    },
  });
  const events = [["", "every event"], ["post.publish.*", "Content Posting"], ["minis.*", "TikTok Minis"], ...samples.map((each) => [each.event, each.event])];
  const choice = (name, label, choices) => el("select", { name, "aria-label": label, onchange: (event) => set({ [name]: event.target.value }) },
    [...choices, ...unlisted(choices, now.get(name))].map(([value, words]) => el("option", { value, selected: (now.get(name) ?? "") === value }, words)));
  const group = el("select", { name: "group", "aria-label": "Group", onchange: (event) => set({ group: event.target.value }) },
    [["", "not grouped"], ["publish_id", "by post"], ["user", "by user"], ["redelivery", "by redelivery"]].map(([value, words]) =>
      el("option", { value, selected: grouping() === value }, words)));
  const tick = (name, words) => el("label", {}, el("input", {
    type: "checkbox", name, checked: now.get(name) === "1", onchange: (event) => set({ [name]: event.target.checked }),
  }), words);
  fill(byId("filters"),
    search,
    choice("event", "Event", events),
    choice("verdict", "Verdict", [["", "every verdict"], ["valid", "valid"], ["stale", "stale"], ["invalid", "invalid"], ["missing", "missing"], ["unchecked", "unchecked"]]),
    choice("status", "Answer to TikTok", [["", "every answer"], ...ANSWERS.map((each) => [each, each])]),
    tick("failed", "failed"), tick("redeliveries", "redeliveries"), tick("replays", "replayed"),
    group,
    now.get("since") || now.get("publish_id") || now.get("user")
      ? el("button", { type: "button", onclick: () => set({ since: null, until: null, publish_id: null, user: null }) }, "Clear the selection")
      : null,
  );
  byId("filters").onsubmit = (event) => event.preventDefault();
}

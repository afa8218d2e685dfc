// The search and filters above the list.

import { byId, el, fill } from "./dom.js";
import { filters, grouping, setAddress } from "./state.js";

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
    choices.map(([value, words]) => el("option", { value, selected: (now.get(name) ?? "") === value }, words)));
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
    choice("status", "Answer to TikTok", [["", "every answer"], ["200", "200"], ["403", "403"], ["500", "500"], ["502", "502"], ["504", "504"]]),
    tick("failed", "failed"), tick("redeliveries", "redeliveries"), tick("replays", "replayed"),
    group,
    now.get("since") || now.get("publish_id") || now.get("user")
      ? el("button", { type: "button", onclick: () => set({ since: null, until: null, publish_id: null, user: null }) }, "Clear the selection")
      : null,
  );
  byId("filters").onsubmit = (event) => event.preventDefault();
}

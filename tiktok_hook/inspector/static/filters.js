// The search and filters above the list.

import { call } from "./api.js";
import { byId, el, fill } from "./dom.js";
import { filters, grouping, setAddress, setFilters, state } from "./state.js";
import { moment, visible } from "./words.js";

const STATUSES = "200 201 204 302 400 401 403 404 405 415 422 429 500 502 503 504".split(" ");
const VERDICTS = [
  ["", "all verdicts"],
  ["valid", "valid"],
  ["stale", "stale"],
  ["rejected", "rejected"],
  ["invalid", "invalid"],
  ["missing", "unsigned"],
  ["unchecked", "unchecked"],
];
const GROUPS = [
  ["", "group by…"],
  ["publish_id", "by post"],
  ["user", "by user"],
  ["redelivery", "by redelivery"],
];
const TICKS = [
  ["failed", "failed"],
  ["redeliveries", "redelivered"],
  ["replays", "replayed"],
  ["queued", "queued"],
];

let isOpen = false; // on narrow screens they are behind a button
let typing;
let read = { text: "", words: "", isWrong: false }; // the last filter, and what is wrong with it

// An address may name what is in no list.
const unlisted = (choices, value) =>
  value && choices.every(([each]) => each !== value) ? [[value, value]] : [];

function choice(name, label, choices, now, set) {
  const options = [...choices, ...unlisted(choices, now)].map(([value, words]) =>
    el("option", { value, selected: now === value }, words),
  );
  return el(
    "select",
    {
      name,
      "aria-label": label,
      class: now ? "active" : null,
      onchange: (event) => set({ [name]: event.target.value }),
    },
    options,
  );
}

// Filters that no control shows, in words.
function others(now) {
  const words = [];
  if (now.get("since")) words.push(`from ${moment(Number(now.get("since")) * 1000)}`);
  if (now.get("until")) words.push(`to ${moment(Number(now.get("until")) * 1000)}`);
  for (const name of ["user", "publish_id", "source"]) {
    if (now.get(name)) words.push(`${name} ${now.get(name)}`);
  }
  return words.length ? el("span", { class: "active others" }, words.join(", ")) : null;
}

// Has the server read a filter. One that cannot be read leaves the list as it is.
async function check(text) {
  read = { text, words: "", isWrong: false };
  if (text.trim()) {
    try {
      const query = new URLSearchParams({ filter: text });
      const { error, doubts } = await call(`filter?${query}`);
      if (text !== read.text) return false; // more was typed meanwhile
      const remarks = error ? [error] : doubts;
      read.words = remarks.map((each) => `${each.message} ${each.hint}`).join(" ");
      read.isWrong = error !== null;
    } catch {
      return false;
    }
  }
  drawTrouble();
  return !read.isWrong;
}

function drawTrouble() {
  const field = byId("filter");
  const { words, isWrong } = field.value === read.text ? read : { words: "", isWrong: false };
  const place = byId("filter-trouble");
  place.textContent = words;
  place.className = isWrong ? "bad" : "warn";
  field.setAttribute("aria-invalid", String(isWrong));
}

// Listeners or apps of a shared history, where there are several.
function nameChoice(name, label, all, names, now, set) {
  if (names.length < 2 && !now) return null;
  const choices = names.map((each) => [each, visible(each)]);
  return choice(name, label, [["", all], ...choices], now, set);
}

function filterField(value, set) {
  const input = el("input", {
    type: "search",
    id: "filter",
    name: "filter",
    placeholder: "Filter  post.publish.* user:…",
    title: "EVENT, user:OPEN_ID, key:CLIENT_KEY, content.NAME:GLOB; all of them must match",
    "aria-label": "Filter",
    "aria-describedby": "filter-trouble",
    spellcheck: "false",
    autocomplete: "off",
    class: value ? "active" : null,
    value,
    oninput: () => {
      clearTimeout(typing);
      const text = input.value;
      typing = setTimeout(async () => {
        if ((await check(text)) && byId("filter").value === text) set({ filter: text.trim() });
      }, 200);
    },
  });
  return input;
}

export function drawFilters(samples, changed) {
  const now = filters();
  const value = (name) => now.get(name) ?? "";
  const set = (changes) => {
    setAddress(changes);
    changed();
  };
  const search = el("input", {
    type: "search",
    id: "search",
    name: "q",
    placeholder: "Search  /",
    "aria-label": "Search",
    class: value("q") ? "active" : null,
    value: value("q"),
    oninput: (event) => {
      clearTimeout(typing);
      const text = event.target.value;
      typing = setTimeout(() => set({ q: text }), 200);
    },
  });
  const events = [
    ["", "all events"],
    ["post.publish.*", "Content Posting"],
    ["minis.*", "TikTok Minis"],
    ...samples.map((each) => [each.event, each.event]),
  ];
  const statuses = [["", "all answers"], ...STATUSES.map((each) => [each, each])];
  const tick = ([name, words]) =>
    el(
      "label",
      { class: value(name) ? "active" : null },
      el("input", {
        type: "checkbox",
        name,
        checked: value(name) === "1",
        onchange: (event) => set({ [name]: event.target.checked }),
      }),
      words,
    );
  const toggle = () => {
    isOpen = !isOpen;
    drawFilters(samples, changed);
  };
  byId("filters").classList.toggle("open", isOpen);
  const active = [...now].filter(([name]) => !["q", "filter"].includes(name)).length;
  fill(
    byId("filters"),
    search,
    filterField(value("filter"), set),
    el(
      "button",
      { type: "button", class: "more", "aria-expanded": String(isOpen), onclick: toggle },
      active ? `Filters (${active})` : "Filters",
    ),
    el(
      "div",
      { class: isOpen ? "choices open" : "choices" },
      choice("event", "Event", events, value("event"), set),
      choice("verdict", "Verdict", VERDICTS, value("verdict"), set),
      choice("status", "Answer to TikTok", statuses, value("status"), set),
      TICKS.map(tick),
      nameChoice(
        "listener",
        "Listener",
        "all listeners",
        state.status?.listeners ?? [],
        value("listener"),
        set,
      ),
      nameChoice("app", "App", "all apps", state.status?.apps ?? [], value("app"), set),
      choice("group", "Group", GROUPS, grouping(), set),
    ),
    others(now),
    el("span", { id: "matching", role: "status" }),
    [...now].length
      ? el(
          "button",
          {
            type: "button",
            id: "reset",
            onclick: () => {
              setFilters();
              changed();
            },
          },
          "Reset",
        )
      : null,
    el("p", { id: "filter-trouble", role: "status" }),
  );
  if (value("filter") !== read.text && byId("filter").value === value("filter")) {
    check(value("filter")); // of an address
  } else drawTrouble();
  byId("filters").onsubmit = (event) => event.preventDefault();
}

// "24 of 335": how many deliveries match.
export function drawMatching(matching, received) {
  const place = byId("matching");
  if (place) place.textContent = matching === null ? "" : `${matching} of ${received}`;
}

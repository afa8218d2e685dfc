// A decoded value as a collapsible tree. Only open branches are rendered, and long lists are
// rendered in steps, so that a hostile payload cannot slow down the page.

import { el } from "./dom.js";
import { ExactNumber } from "./exact.js";
import { visible } from "./words.js";

const STEP = 100; // children shown at once
const FEW = 30; // values with at most this many children are open initially
const DEPTH = 2; // and only down to this depth
const LONG = 2000; // characters of a text that are shown before a button loads more

// A value with its key. `known` holds which branches were open before, by id; `meanings` holds
// descriptions by path.
export function tree(value, { id, path, meanings, known, key = null, depth = 0 }) {
  const label = key === null ? null : [el("span", { class: "key" }, visible(key)), ": "];
  if (!(value instanceof Map) && !Array.isArray(value)) return [label, leaf(value, meanings[path])];
  const isList = Array.isArray(value);
  const count = isList ? value.length : value.size;
  if (!count) return [label, el("span", { class: "word" }, isList ? "[ ]" : "{ }")];
  const words = `${count} ${isList ? "value" : "key"}${count === 1 ? "" : "s"}`;
  const branch = el(
    "details",
    { class: "tree", id, open: known.get(id) ?? (depth < DEPTH && count <= FEW) },
    el("summary", {}, label, isList ? "[…] " : "{…} ", el("span", { class: "words" }, words)),
  );
  const grow = () => {
    if (branch.children.length > 1) return;
    const entries = isList ? [...value.entries()] : [...value];
    const item = ([name, each], number) =>
      el(
        "li",
        {},
        tree(each, {
          id: `${id}.${number}`,
          path: `${path}.${name}`,
          meanings,
          known,
          key: String(name),
          depth: depth + 1,
        }),
      );
    branch.append(longList(entries, item));
  };
  branch.addEventListener("toggle", () => {
    if (branch.open) grow();
  });
  if (branch.open) grow();
  return branch;
}

function longList(entries, item) {
  const list = el("ul");
  const more = (from) => {
    list.append(
      ...entries.slice(from, from + STEP).map((entry, number) => item(entry, from + number)),
    );
    const left = entries.length - from - STEP;
    if (left <= 0) return;
    const rest = el(
      "li",
      {},
      el(
        "button",
        {
          type: "button",
          onclick: () => {
            const first = list.children.length - 1;
            rest.remove();
            more(from + STEP);
            list.children[first].tabIndex = -1; // the button had the keyboard, and is gone
            list.children[first].focus();
          },
        },
        `${left} more`,
      ),
    );
    list.append(rest);
  };
  more(0);
  return list;
}

function leaf(value, meaning) {
  const kind =
    value instanceof ExactNumber ? "number" : typeof value === "string" ? "string" : "word";
  const text = value instanceof ExactNumber ? value.text : String(value);
  const shown = el("span", { class: kind }, visible(text.slice(0, LONG)));
  return [
    shown,
    text.length > LONG
      ? el(
          "button",
          {
            type: "button",
            class: "quiet",
            onclick: (event) => {
              shown.textContent = visible(text);
              event.target.remove();
            },
          },
          `${text.length - LONG} characters more`,
        )
      : null,
    meaning ? el("span", { class: "words" }, visible(meaning)) : null,
  ];
}

// Two deliveries side by side, and the line diff behind it.

import { bodyOf, call } from "./api.js";
import { byId, el, fill, say } from "./dom.js";
import { pretty } from "./replay.js";
import { state } from "./state.js";
import { visible } from "./words.js";

const MOST_LINES = 1500;

// Lines taken out, put in and kept, by the longest common sequence.
export function diff(before, after) {
  const one = before.split("\n").slice(0, MOST_LINES);
  const other = after.split("\n").slice(0, MOST_LINES);
  const table = Array.from({ length: one.length + 1 }, () => new Uint16Array(other.length + 1));
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = other.length - 1; j >= 0; j -= 1) {
      table[i][j] = one[i] === other[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  const lines = [];
  let i = 0;
  let j = 0;
  while (i < one.length || j < other.length) {
    if (i < one.length && j < other.length && one[i] === other[j]) { lines.push(el("span", {}, visible(one[i]))); i += 1; j += 1; }
    else if (i < one.length && (j >= other.length || table[i + 1][j] >= table[i][j + 1])) { lines.push(el("del", {}, visible(one[i]))); i += 1; }
    else { lines.push(el("ins", {}, visible(other[j]))); j += 1; }
  }
  return lines;
}

function asText(delivery) {
  const body = bodyOf(delivery);
  const heads = delivery.headers.map(([name, value]) => `${name}: ${value}`);
  return [`${delivery.method} ${delivery.path}${delivery.query ? `?${delivery.query}` : ""}`, ...heads, "", body.text === null ? "(binary)" : pretty(body.text)].join("\n");
}

export async function comparePicked() {
  const [first, second] = [...state.picked].sort((one, other) => one - other);
  try {
    const [one, other] = await Promise.all([first, second].map((id) => call(`deliveries/${id}`)));
    fill(byId("dialog"),
      el("h1", { id: "dialog-title" }, `#${first} and #${second}`),
      el("p", { class: "dim" }, `− only in #${first}, + only in #${second}. Verdicts: ${one.delivery.verdict.state} and ${other.delivery.verdict.state}.`),
      el("div", { class: "diff", tabindex: "0" }, diff(asText(one.delivery), asText(other.delivery))),
      el("div", { class: "buttons" }, el("button", { type: "button", onclick: () => byId("dialog").close() }, "Close")));
    byId("dialog").showModal();
  } catch (error) {
    say(error.message);
  }
}

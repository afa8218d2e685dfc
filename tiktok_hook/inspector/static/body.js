// A body in several views: pretty, raw, hex, and inflated where a response is compressed.

import { el, fill } from "./dom.js";
import { tryParse, unfolded, write } from "./exact.js";
import { size, visible } from "./words.js";

// Keys, strings, numbers and words of a JSON text, each as a text node; of a huge one the first.
const COLOURED = 5000;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;
const MOST_INFLATED = 1 << 20;

function coloured(json) {
  const found = [];
  let at = 0;
  for (const token of json.matchAll(TOKEN)) {
    found.push(visible(json.slice(at, token.index)));
    const kind = token[1] ? (token[2] ? "key" : "string") : token[3] ? "number" : "word";
    const word = token[1] ?? token[0];
    found.push(el("span", { class: kind }, visible(word)), visible(token[0].slice(word.length)));
    at = token.index + token[0].length;
    if (found.length > COLOURED) break;
  }
  return [...found, visible(json.slice(at))];
}

function hex(bytes) {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, 8192); at += 16) {
    const row = [...bytes.slice(at, at + 16)];
    const digits = row.map((each) => each.toString(16).padStart(2, "0")).join(" ");
    const shown = row.map((each) => (each > 31 && each < 127 ? String.fromCharCode(each) : "·"));
    lines.push(`${at.toString(16).padStart(6, "0")}  ${digits.padEnd(47)}  ${shown.join("")}`);
  }
  const rest = bytes.length > 8192 ? `\n… ${size(bytes.length - 8192)} more` : "";
  return lines.join("\n") + rest;
}

// A text that is not JSON, the place where it stops to be JSON marked.
export const brokenJson = (json, error) => [
  visible(json.slice(0, error.at)),
  el("mark", { title: error.message }, visible(json.slice(error.at, error.at + 1) || " ")),
  visible(json.slice(error.at + 1)),
  "\n\n",
  el("span", { class: "bad" }, `Not JSON: ${error.message} (character ${error.at + 1}).`),
];

// Only JSON that was meant to be: an HTML page is not broken JSON.
const isMeantAsJson = (body) => /^\s*[{["]/.test(body);

function textViews(body, parsed) {
  const views = [];
  if (parsed.value !== undefined) {
    const json = () => coloured(write(unfolded(parsed.value), "  "));
    views.push(["Pretty", () => el("pre", { class: "json", tabindex: "0" }, json())]);
  }
  if (body !== null) {
    const raw = () =>
      parsed.error && isMeantAsJson(body) ? brokenJson(body, parsed.error) : visible(body);
    views.push(["Raw", () => el("pre", { tabindex: "0" }, raw())]);
  }
  return views;
}

// `encoding` is the Content-Encoding of a response: browsers inflate gzip and deflate.
// `type` is its Content-Type, which may name a charset.
export function bodyView(body, parsed, encoding = undefined, type = undefined) {
  if (!body.bytes.length) return el("p", { class: "dim" }, "Empty.");
  const views = textViews(body.text, parsed);
  const format = { gzip: "gzip", "x-gzip": "gzip", deflate: "deflate" }[encoding?.toLowerCase()];
  if (format) views.unshift(["Decompressed", () => inflatedView(body.bytes, format, type)]);
  views.push(["Hex", () => el("pre", { class: "hex", tabindex: "0" }, hex(body.bytes))]);
  return tabs(views);
}

/**
 * The tab lists in an element, each with a key that it keeps when the element is drawn again.
 * @returns {Generator<[string, any[]]>}
 */
function* tabLists(root) {
  const counts = new Map();
  for (const list of root.querySelectorAll("[role=tablist]")) {
    const owner = list.closest("[id]").id;
    const count = counts.get(owner) ?? 0;
    counts.set(owner, count + 1);
    yield [`${owner} ${count}`, [...list.children]];
  }
}

/**
 * @param {any} root
 * @returns {Map<string, string>} the selected view of each body, by the key of its tab list
 */
export function selectedViews(root) {
  const selected = new Map();
  for (const [key, buttons] of tabLists(root)) {
    selected.set(key, buttons.find((each) => each.ariaSelected === "true").textContent);
  }
  return selected;
}

export function selectViews(root, selected) {
  for (const [key, buttons] of tabLists(root)) {
    const button = buttons.find((each) => each.textContent === selected.get(key));
    if (button && button.ariaSelected !== "true") button.click();
  }
}

function inflatedView(bytes, format, type) {
  const place = el("div", {}, el("p", { class: "dim" }, "Decompressing…"));
  inflate(bytes, format).then(
    (inflated) => {
      const found = decodedText(inflated, type);
      const views = textViews(found, tryParse(found));
      fill(place, views[0][1]());
    },
    () => fill(place, el("p", { class: "bad" }, `This is not valid ${format}.`)),
  );
  return place;
}

// The bytes of a compressed body; of one that is cut, what can be read of it.
async function inflate(bytes, format) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format));
  const reader = stream.getReader();
  const parts = [];
  let length = 0;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      parts.push(value);
      length += value.length;
      if (length > MOST_INFLATED) {
        await reader.cancel();
        break;
      }
    }
  } catch (error) {
    if (!length) throw error;
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer()).slice(0, MOST_INFLATED);
}

// UTF-8 where the bytes are that, whatever charset a server names by default.
function decodedText(bytes, type) {
  const charset = /charset\s*=\s*["']?([\w.:-]+)/i.exec(type ?? "")?.[1] ?? "utf-8";
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    try {
      return new TextDecoder(charset).decode(bytes);
    } catch {
      return new TextDecoder().decode(bytes);
    }
  }
}

function tabs(views) {
  const place = el("div", { role: "tabpanel" });
  const show = (number) => {
    buttons.forEach((button, each) => {
      button.setAttribute("aria-selected", String(each === number));
      button.tabIndex = each === number ? 0 : -1;
    });
    fill(place, views[number][1]());
  };
  const move = (event, number) => {
    const keys = { ArrowLeft: number - 1, ArrowRight: number + 1, Home: 0, End: views.length - 1 };
    const to = keys[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + views.length) % views.length;
    show(next);
    buttons[next].focus();
  };
  const buttons = views.map(([name], number) =>
    el(
      "button",
      {
        type: "button",
        role: "tab",
        onclick: () => show(number),
        onkeydown: (event) => move(event, number),
      },
      name,
    ),
  );
  show(0);
  return el("div", {}, el("div", { class: "tabs", role: "tablist" }, buttons), place);
}

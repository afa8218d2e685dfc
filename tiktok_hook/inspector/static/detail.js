// One delivery whole: what it means, the verdict, headers, body, answer, attempts.

import { bodyOf, call, file, text } from "./api.js";
import { byId, copy, el, fill, say } from "./dom.js";
import { ExactNumber, tryParse, write } from "./exact.js";
import { openReplay, replayNow, told } from "./replay.js";
import { setAddress, state } from "./state.js";
import { tree } from "./tree.js";
import { VERDICTS, ago, eventName, milliseconds, moment, productClass, size, statusClass, visible } from "./words.js";

let shown = 0;
let drawn = null;

export async function drawDetail(id) {
  const mine = ++shown;
  document.body.classList.toggle("showing", id !== null);
  const pane = byId("detail");
  if (id === null) {
    fill(pane, el("p", { class: "dim" }, "Choose a delivery: j and k go through the list, ? shows all keys."));
    return;
  }
  try {
    const whole = await call(`deliveries/${id}`);
    if (mine !== shown) return;
    const before = drawn === id ? [...pane.querySelectorAll("details[id]")] : [];
    const known = new Map(before.map((each) => [each.id, each.open]));
    fill(pane, ...parts(whole, known));
    if (drawn !== id) pane.scrollTop = 0;
    drawn = id;
  } catch (error) {
    if (mine === shown) fill(pane, el("p", { class: "bad" }, error.message));
  }
}

// `known` says by id which parts that open and close were open before.
function parts(whole, known) {
  const { delivery, attempts } = whole;
  const [verdict, kind] = VERDICTS[delivery.verdict.state];
  const body = bodyOf(delivery);
  const parsed = body.text === null ? {} : tryParse(body.text);
  return [
    el("button", { type: "button", class: "back", onclick: () => { history.replaceState(null, "", "/"); document.dispatchEvent(new CustomEvent("leave")); } }, "← List"),
    el("h1", {}, el("span", { class: "dim number" }, `#${delivery.id} `), el("span", { class: productClass(whole.product) }, visible(eventName(delivery)))),
    el("div", {}, visible(delivery.summary), " ", whole.meaning ? el("span", { class: "dim" }, `· ${whole.meaning}`) : null),
    el("div", { class: "dim" }, el("time", { datetime: delivery.received_at }, moment(delivery.received_at)), ` · ${ago((Date.now() - new Date(delivery.received_at)) / 1000)} · from ${visible(delivery.remote_addr) || "unknown"}`,
      delivery.source === "tiktok" ? "" : ` · ${delivery.source}`, delivery.imported_id ? ` · was #${delivery.imported_id}` : ""),
    redelivery(whole),
    el("div", { class: `verdict ${kind}`, role: "note" },
      el("b", {}, `Signature ${verdict}`), delivery.verdict.reason ? `: ${visible(delivery.verdict.reason)}` : "",
      delivery.verdict.secret > 1 ? ` (secret ${delivery.verdict.secret})` : "",
      delivery.verdict.hint ? el("p", {}, visible(delivery.verdict.hint)) : null),
    el("div", {}, "TikTok was answered ", el("b", { class: statusClass(delivery.status) }, delivery.status ?? "nothing yet")),
    actions(whole, body),
    meaning(whole, parsed, known),
    el("h2", {}, "Attempts"),
    attempts.length ? attempts.toReversed().map((each) => attempt(each, delivery, known)) : el("p", { class: "dim" }, "Not handed to an app."),
    el("h2", {}, "Request"),
    el("p", { class: "mono" }, visible(`${delivery.method} ${delivery.path}${delivery.query ? `?${delivery.query}` : ""} HTTP/${delivery.http_version}`)),
    headers(delivery.headers),
    el("h2", {}, `Body, ${size(body.bytes.length)}`),
    delivery.body_bytes > body.bytes.length ? el("p", { class: "warn" }, `Cut when it was stored, ${delivery.body_bytes} bytes in all.`) : null,
    bodyView(body, parsed),
  ].filter(Boolean);
}

const link = (id) => el("button", { type: "button", onclick: () => document.dispatchEvent(new CustomEvent("go", { detail: id })) }, `#${id}`);

function redelivery({ delivery, redeliveries }) {
  const others = redeliveries.filter((id) => id !== delivery.id);
  if (!others.length) return null;
  return el("p", { class: "warn" }, `Delivery ${delivery.redelivery_number} of this event; the others: `, others.slice(0, 12).map((id) => [link(id), " "]));
}

function actions(whole, body) {
  const { delivery } = whole;
  const target = state.status?.target ?? whole.recorded_target;
  return el("div", { class: "actions" },
    el("button", { type: "button", class: "main", id: "replay", disabled: !target, title: target ? `To ${target}` : "There is no target: use Edit and replay", onclick: () => replayNow(delivery) }, "Replay"),
    el("button", { type: "button", id: "edit", onclick: () => openReplay(whole) }, "Edit and replay…"),
    el("button", { type: "button", onclick: async () => {
      try {
        copy(await text(`export?format=curl&ids=${delivery.id}`), "cURL");
      } catch (error) {
        told(error);
      }
    } }, "Copy as cURL"),
    body.text === null ? null : el("button", { type: "button", onclick: () => copy(body.text, "Body") }, "Copy body"),
    el("span", { class: "downloads" }, el("span", { class: "dim" }, "Download "),
      [["har", "HAR"], ["jsonl", "JSON Lines"], ["pytest", "pytest"]].map(([format, words]) =>
        el("button", { type: "button", class: "quiet", onclick: () => download(`export?format=${format}&ids=${delivery.id}`) }, words)),
      el("button", { type: "button", class: "quiet", onclick: () => download(`deliveries/${delivery.id}/body`) }, "raw body")));
}

// Fetched first, so that a refusal is said and not saved under the file's name.
export async function download(path) {
  let got;
  try {
    got = await file(path);
  } catch (error) {
    say(`${error.message} ${error.hint ?? ""}`.trim());
    return;
  }
  const href = URL.createObjectURL(got.blob);
  const anchor = el("a", { href, download: got.name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
}

function meaning({ meanings, documentation }, parsed, known) {
  if (!(parsed.value instanceof Map)) return null;
  const rows = [...parsed.value].map(([key, value]) => {
    const inner = key === "content" && typeof value === "string" ? tryParse(value) : {};
    const shown = inner.value instanceof Map || Array.isArray(inner.value) ? inner.value : value;
    const isBroken = inner.error && /^\s*[{[]/.test(value);
    return el("tr", {}, el("th", { scope: "row" }, visible(key)), el("td", {},
      isBroken ? el("pre", { tabindex: "0" }, broken(value, inner.error)) : tree(shown, { id: `tree.${key}`, path: key, meanings, known }),
      key === "create_time" ? el("span", { class: "words" }, when(value)) : null));
  });
  return el("div", {}, el("h2", {}, "Event"), el("table", { class: "pairs event" }, el("tbody", {}, rows)),
    documentation ? el("p", { class: "dim" }, el("a", { href: documentation, target: "_blank", rel: "noreferrer noopener" }, "TikTok's documentation")) : null);
}

function when(value) {
  if (!(value instanceof ExactNumber) || !/^\d{1,14}$/.test(value.text)) return "";
  const stamp = Number(value.text) * (value.text.length > 11 ? 1 : 1000);
  return `${moment(stamp)}, ${ago((Date.now() - stamp) / 1000)}`;
}

const headers = (pairs) => el("table", { class: "pairs" }, el("tbody", {}, pairs.map(([name, value]) =>
  el("tr", {}, el("th", { scope: "row" }, visible(name)), el("td", {}, visible(value))))));

// Keys, strings, numbers and words of a JSON text, each as a text node; of a huge one the first.
const COLOURED = 5000;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;
function coloured(text) {
  const found = [];
  let at = 0;
  for (const token of text.matchAll(TOKEN)) {
    found.push(visible(text.slice(at, token.index)));
    const kind = token[1] ? (token[2] ? "key" : "string") : token[3] ? "number" : "word";
    const word = token[1] ?? token[0];
    found.push(el("span", { class: kind }, visible(word)), visible(token[0].slice(word.length)));
    at = token.index + token[0].length;
    if (found.length > COLOURED) break;
  }
  return [...found, visible(text.slice(at))];
}

function hex(bytes) {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, 8192); at += 16) {
    const row = [...bytes.slice(at, at + 16)];
    const digits = row.map((each) => each.toString(16).padStart(2, "0")).join(" ");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${digits.padEnd(47)}  ${row.map((each) => (each > 31 && each < 127 ? String.fromCharCode(each) : "·")).join("")}`);
  }
  return lines.join("\n") + (bytes.length > 8192 ? `\n… ${size(bytes.length - 8192)} more` : "");
}

function bodyView(body, parsed) {
  const views = [];
  if (parsed.value !== undefined) views.push(["Pretty", () => el("pre", { class: "json", tabindex: "0" }, coloured(write(unfolded(parsed.value), "  ")))]);
  if (body.text !== null) views.push(["Raw", () => el("pre", { tabindex: "0" }, parsed.error ? broken(body.text, parsed.error) : visible(body.text))]);
  views.push(["Hex", () => el("pre", { class: "hex", tabindex: "0" }, hex(body.bytes))]);
  const place = el("div", { role: "tabpanel" });
  const show = (number) => {
    tabs.forEach((tab, each) => {
      tab.setAttribute("aria-selected", String(each === number));
      tab.tabIndex = each === number ? 0 : -1;
    });
    fill(place, views[number][1]());
  };
  const move = (event, number) => {
    const to = { ArrowLeft: number - 1, ArrowRight: number + 1, Home: 0, End: views.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + views.length) % views.length;
    show(next);
    tabs[next].focus();
  };
  const tabs = views.map(([name], number) => el("button", { type: "button", role: "tab", onclick: () => show(number), onkeydown: (event) => move(event, number) }, name));
  if (!body.bytes.length) return el("p", { class: "dim" }, "Empty.");
  show(0);
  return el("div", {}, el("div", { class: "tabs", role: "tablist" }, tabs), place);
}

// TikTok's content decoded in its place.
function unfolded(value) {
  if (!(value instanceof Map) || typeof value.get("content") !== "string") return value;
  const inner = tryParse(value.get("content")).value;
  return inner instanceof Map || Array.isArray(inner) ? new Map([...value, ["content", inner]]) : value;
}

const broken = (text, error) => [visible(text.slice(0, error.at)), el("mark", { title: error.message }, visible(text.slice(error.at, error.at + 1) || " ")),
  visible(text.slice(error.at + 1)), "\n\n", el("span", { class: "bad" }, `Not JSON: ${error.message} (character ${error.at + 1}).`)];

function attempt(record, delivery, known) {
  const outcome = record.status ?? record.error ?? "not finished";
  const sent = record.request.body === undefined && record.request.body_base64 === undefined ? null : bodyOf(record.request);
  const got = bodyOf(record);
  return el("details", { class: "attempt", open: known.get(`attempt-${record.id}`), id: `attempt-${record.id}` },
    el("summary", {}, el("span", { class: "number" }, `${record.id} `), el("b", { class: statusClass(record.status ?? 0) }, outcome), ` ${milliseconds(record.duration_ms)} `,
      el("span", { class: "dim" }, `${visible(record.target)} `), record.replay ? el("span", { class: "tag" }, "replay") : null, " ", record.variant ? el("span", { class: "tag" }, visible(record.variant)) : record.resigned ? el("span", { class: "tag dim" }, "re-signed") : null),
    el("div", {},
      record.hint ? el("p", { class: "hint" }, visible(record.hint)) : null,
      el("div", { class: "dim" }, moment(record.started_at)),
      el("h2", {}, "Sent"), el("p", { class: "mono" }, visible(`${record.request.method} ${record.target}`)), headers(record.request.headers),
      sent === null ? el("p", { class: "dim" }, `The body of #${delivery.id}, unchanged.`) : bodyView(sent, sent.text === null ? {} : tryParse(sent.text)),
      el("h2", {}, "Answered"), headers(record.headers), bodyView(got, got.text === null ? {} : tryParse(got.text)),
      record.truncated ? el("p", { class: "dim" }, "There was more than is kept.") : null));
}

document.addEventListener("go", (event) => {
  setAddress({ id: String(event.detail) });
  state.chosen = event.detail;
  drawDetail(event.detail).catch((error) => say(error.message));
});

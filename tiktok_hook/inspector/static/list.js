// The list: pages by key, live rows on top, never more than MOST of them in the page.

import { call } from "./api.js";
import { byId, el, fill, say } from "./dom.js";
import { forgetLives, grouped } from "./groups.js";
import { filters, grouping, setAddress, state } from "./state.js";
import { VERDICTS, eventName, milliseconds, productClass, statusClass, time, visible } from "./words.js";

const MOST = 600;
let next = null;
let loaded = false;
let asked = 0;
let late = null;

// Fetches the first page. What the stream tells meanwhile may be newer than what is fetched, and
// an answer is told before it is on disk, so neither is undone by what was read. `keep` leaves the
// older pages of the same view in place.
export async function reload({ keep = false } = {}) {
  const mine = ++asked;
  late ??= [];
  byId("left").setAttribute("aria-busy", "true");
  try {
    const page = await call(`deliveries?${filters()}`);
    if (mine !== asked) return;
    const before = state.rows;
    state.rows = new Map(page.deliveries.map((row) => {
      const known = before.get(row.delivery.id);
      row.delivery.status ??= known?.delivery.status ?? null;
      row.last_attempt ??= known?.last_attempt ?? null;
      return [row.delivery.id, row];
    }));
    state.detached = false;
    if (keep && loaded && page.next !== null) {
      for (const [id, row] of before) if (id < page.next) state.rows.set(id, row);
      if (next !== null) next = Math.min(next, page.next);
      shorten();
    } else next = page.next;
    loaded = true;
    forgetLives();
    draw();
  } catch (error) {
    say(error.message);
  } finally {
    if (mine === asked) {
      byId("left").removeAttribute("aria-busy");
      const waited = late;
      late = null;
      for (const tell of waited) tell();
    }
  }
}

export async function older() {
  if (next === null) return;
  const query = filters();
  query.set("before", next);
  const page = await call(`deliveries?${query}`);
  for (const row of page.deliveries) state.rows.set(row.delivery.id, row);
  next = page.next;
  while (state.rows.size > MOST) {
    state.rows.delete(state.rows.keys().next().value);
    state.detached = true;
  }
  draw();
}

// A row that came in just now; filters that the server has to judge make it ask.
export function arrived(row) {
  if (late) { late.push(() => arrived(row)); return; }
  const id = row.delivery.id;
  if (state.rows.has(id)) { // seen before it was answered
    state.rows.set(id, row);
    renew(id);
    return;
  }
  if (state.detached) { drawMore(); return; }
  if ([...filters()].length) { askAgain(); return; }
  state.rows = new Map([[id, row], ...state.rows].sort(([one], [other]) => other - one));
  shorten();
  draw(id);
}

// Lets the oldest rows go that are too many.
function shorten() {
  while (state.rows.size > MOST) {
    const last = [...state.rows.keys()].at(-1);
    state.rows.delete(last);
    next = last + 1;
  }
}

let waiting = null;
function askAgain() {
  waiting ??= setTimeout(() => { waiting = null; reload({ keep: true }); }, 120);
}

export function attempted(attempt) {
  if (late) { late.push(() => attempted(attempt)); return; }
  const row = state.rows.get(attempt.delivery_id);
  if (!row) return;
  row.last_attempt = attempt;
  renew(attempt.delivery_id);
}

// Draws one row anew, without taking the keyboard from it.
function renew(id) {
  const item = byId(`row-${id}`);
  if (!item || !state.rows.has(id)) return null;
  const made = rowOf(state.rows.get(id), false);
  const focused = item.contains(document.activeElement) ? document.activeElement.tagName : null;
  item.replaceWith(made);
  if (focused) made.querySelector(focused)?.focus({ preventScroll: true });
  return made;
}

let pending = null;
const fresh = new Set();
function draw(id) {
  if (id !== undefined) fresh.add(id);
  if (pending !== null) return;
  pending = requestAnimationFrame(() => {
    pending = null;
    const rows = [...state.rows.values()];
    const whole = next === null && !state.detached && ![...filters()].length;
    fill(byId("list"), ...(grouping() ? grouped(rows, rowOf, { whole, redraw: () => draw() }) : rows.map((row) => rowOf(row, fresh.has(row.delivery.id)))));
    fresh.clear();
    drawMore();
  });
}
export { draw as drawList };

// A long name breaks behind its dots, not within a word.
const breakable = (name) => name.split(/(?<=\.)/).flatMap((part, number) => (number ? [el("wbr"), part] : [part]));

function rowOf(row, isFresh) {
  const { delivery, last_attempt: attempt } = row;
  const [verdict, kind] = VERDICTS[delivery.verdict.state];
  const chosen = state.chosen === delivery.id;
  const app = attempt === null ? "" : attempt.status === null ? attempt.error ?? "…" : String(attempt.status);
  return el("li", { id: `row-${delivery.id}`, class: [chosen ? "chosen" : "", isFresh ? "fresh" : ""].join(" ").trim() || null },
    el("input", {
      type: "checkbox", "aria-label": `Pick delivery ${delivery.id}`, checked: state.picked.has(delivery.id),
      onchange: (event) => {
        if (event.target.checked) state.picked.add(delivery.id); else state.picked.delete(delivery.id);
        document.dispatchEvent(new Event("picked"));
      },
    }),
    el("button", { type: "button", class: "row", "aria-current": chosen ? "true" : null, onclick: () => choose(delivery.id) },
      el("span", { class: "id" }, `#${delivery.id}`),
      el("time", { class: "dim", datetime: delivery.received_at }, time(delivery.received_at)),
      el("span", {}, el("span", { class: `event ${productClass(row.product)}` }, breakable(visible(eventName(delivery)))), " ",
        delivery.redelivery_of ? el("span", { class: "tag warn", title: `of #${delivery.redelivery_of}` }, `↻ ${delivery.redelivery_number}`) : null, " ",
        delivery.source === "tiktok" ? null : el("span", { class: "tag dim" }, delivery.source)),
      el("span", { class: "answer" }, el("span", { class: kind }, verdict), " ", el("b", { class: statusClass(delivery.status) }, delivery.status ?? "…")),
      el("span", { class: "words" }, visible(delivery.summary)),
      el("span", { class: "took" }, app ? ["app ", el("span", { class: statusClass(attempt.status ?? 0) }, app), ` ${milliseconds(attempt.duration_ms)}`] : ""),
    ));
}

function drawMore() {
  byId("older").hidden = next === null;
  const searching = filters().get("q") && next !== null;
  byId("older").textContent = searching ? `Search older than #${next}` : "Older";
  const empty = byId("empty");
  empty.hidden = state.rows.size > 0 && !state.detached;
  fill(empty, ...(state.detached
    ? [el("button", { type: "button", onclick: () => reload() }, "Back to the newest")]
    : [searching ? `Nothing found down to #${next} yet.` : [...filters()].length ? "Nothing fits these filters." : "Nothing has arrived yet. Press Test URL in the Developer Portal, or send a sample."]));
}

export function choose(id) {
  const before = state.chosen;
  state.chosen = id;
  setAddress({ id: id === null ? null : String(id) }, { push: before === null && id !== null });
  for (const each of [before, id]) {
    const made = renew(each);
    if (made && each === id) made.scrollIntoView({ block: "nearest" });
  }
  document.dispatchEvent(new CustomEvent("chosen", { detail: id }));
}

export function step(by) {
  const ids = [...byId("list").querySelectorAll("li[id]")].map((item) => Number(item.id.slice(4)));
  if (!ids.length) return;
  const at = ids.indexOf(state.chosen);
  choose(ids[at < 0 ? 0 : Math.min(ids.length - 1, Math.max(0, at + by))]);
}

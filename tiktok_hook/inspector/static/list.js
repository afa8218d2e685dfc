// The list: pages by key, live rows on top, never more than MOST of them in the page.

import { call } from "./api.js";
import { byId, el, fill, say } from "./dom.js";
import { drawEmpty } from "./empty.js";
import { forgetGroups, grouped } from "./groups.js";
import {
  apiFilters,
  emit,
  filters,
  grouping,
  readsBodies,
  setAddress,
  setFilters,
  state,
} from "./state.js";
import {
  VERDICTS,
  attemptClass,
  eventName,
  milliseconds,
  plural,
  productClass,
  statusClass,
  time,
  visible,
} from "./words.js";

const MOST = 600;
const AROUND = 25; // newer rows that are loaded with a delivery that an address names
let next = null;
let loaded = false;
let asked = 0;
let late = null;
let failure = null;
let unseen = 0; // rows that arrived above what is visible

// Fetches the first page. What the stream sends meanwhile may be newer than what is fetched, and an
// answer is sent before it is on disk, so neither is undone by what was read. `keep` leaves the
// older pages of the same view in place; `again` reads all that is shown; `around` begins a bit
// above a delivery.
export async function reload({ keep = false, again = false, around = null } = {}) {
  const mine = ++asked;
  late ??= [];
  byId("left").setAttribute("aria-busy", "true");
  try {
    const query = apiFilters();
    const shown = [...state.rows.keys()];
    const wasDetached = again && state.detached && shown.length > 0;
    if (around !== null) query.set("before", String(around + AROUND + 1));
    else if (wasDetached) query.set("before", String(shown[0] + 1));
    let downTo = null; // one page
    if (shown.length && again) downTo = shown.at(-1);
    else if (shown.length && keep) downTo = shown[0] + 1;
    const read = await readDownTo(downTo, query, () => mine !== asked);
    if (mine !== asked) return;
    failure = null;
    const before = state.rows;
    const detached = (around !== null || wasDetached) && (await hasNewer(read.rows[0]));
    if (mine !== asked) return;
    state.rows = new Map(read.rows.map((row) => [row.delivery.id, merged(row, before)]));
    state.detached = detached;
    const isJoined = !read.isFull || (downTo !== null && read.next <= downTo);
    if (keep && loaded && read.next !== null && isJoined) {
      for (const [id, row] of before) if (id < read.next) state.rows.set(id, row);
      if (next !== null) next = Math.min(next, read.next);
    } else next = read.next;
    shorten();
    loaded = true;
    if (!keep && !again) unseen = 0;
    forgetGroups();
    draw().then(followEnd);
  } catch (error) {
    if (mine !== asked) return;
    if (error.status === 400) {
      failure = `${error.message} ${error.hint}`.trim();
      state.rows = new Map();
      next = null;
      draw();
    } else say(error.message);
  } finally {
    if (mine === asked) {
      byId("left").removeAttribute("aria-busy");
      const waited = late;
      late = null;
      for (const apply of waited) apply();
      if (isOutdated) missed();
    }
  }
}

// Reads pages until one reaches down to the given id, so that the rows below follow without a gap:
// more than a page may have arrived above them. A search ends a page that is not full where it has
// looked for long enough, and is not continued.
/**
 * @param {number | null} downTo - null: one page
 * @param {URLSearchParams} query
 * @param {() => boolean} isSuperseded
 */
async function readDownTo(downTo, query, isSuperseded) {
  const rows = [];
  for (;;) {
    /** @type {Api.Page} */
    const { deliveries, next: following } = await call(`deliveries?${query}`);
    rows.push(...deliveries);
    const isFull = following !== null && deliveries.at(-1)?.delivery.id === following;
    const isEnough = downTo === null || following <= downTo;
    if (!isFull || isEnough || rows.length >= MOST || isSuperseded()) {
      return { rows, next: following, isFull };
    }
    query.set("before", String(following));
  }
}

// The stream has left out changes: all that is shown is read again, so that no row is lost or keeps
// an old state. One reading at a time: in a flood each would end the one before it.
let isOutdated = false;
export function missed() {
  isOutdated = late !== null;
  if (!isOutdated) reload({ again: true });
}

function merged(row, before) {
  const known = before.get(row.delivery.id);
  row.delivery.status ??= known?.delivery.status ?? null;
  row.last_attempt ??= known?.last_attempt ?? null;
  return row;
}

/** @param {Api.Row | undefined} first */
async function hasNewer(first) {
  if (first === undefined) return false;
  const query = apiFilters();
  query.set("after", String(first.delivery.id));
  query.set("limit", "1");
  return (await call(`deliveries?${query}`)).deliveries.length > 0;
}

export async function older() {
  if (next === null) return;
  const mine = asked;
  const query = apiFilters();
  query.set("before", String(next));
  try {
    const page = await call(`deliveries?${query}`);
    // Unless the list was loaded meanwhile, perhaps with other filters.
    if (mine === asked) {
      for (const row of page.deliveries) state.rows.set(row.delivery.id, row);
      next = page.next;
      while (state.rows.size > MOST) {
        state.rows.delete(state.rows.keys().next().value);
        state.detached = true;
      }
    }
  } finally {
    await draw(); // also shows the button again that `followEnd` has hidden
  }
  followEnd();
}

// Reads older rows if the end of the list is near: after scrolling, and after each reading, which
// may have superseded the reading of a page, or removed its rows.
export function followEnd() {
  const left = byId("left");
  const isNearEnd = left.scrollTop + left.clientHeight > left.scrollHeight - 300;
  if (left.scrollTop <= 0 || !isNearEnd || byId("older").hidden || readsBodies()) return;
  byId("older").hidden = true;
  older().catch((error) => say(error.message));
}

// The page above the first row, where the list does not begin with the newest.
async function newer() {
  const mine = asked;
  const query = apiFilters();
  query.set("after", String(state.rows.keys().next().value ?? 0));
  const page = await call(`deliveries?${query}`);
  if (mine !== asked) return;
  const before = state.rows;
  state.rows = new Map();
  for (const row of page.deliveries.reverse()) state.rows.set(row.delivery.id, row);
  for (const [id, row] of before) state.rows.set(id, row);
  state.detached = page.next !== null;
  shorten();
  await draw();
}

// A row that came in just now; filters are applied by the server, so with some it is asked again.
/** @param {Api.Row} row */
export function arrived(row) {
  if (late) {
    late.push(() => arrived(row));
    return;
  }
  const id = row.delivery.id;
  if (state.rows.has(id)) {
    state.rows.set(id, row); // it has been answered
    renew(id);
    return;
  }
  if (next !== null && id < next) return; // an older one has changed, whose page is not loaded
  if (state.detached) {
    unseen += 1;
    drawPill();
    return;
  }
  if ([...filters()].length) {
    askAgain();
    return;
  }
  const rows = [...state.rows.values(), row];
  rows.sort((one, other) => other.delivery.id - one.delivery.id);
  state.rows = new Map(rows.map((each) => [each.delivery.id, each]));
  if (byId("left").scrollTop > 0) unseen += 1;
  shorten();
  draw(id);
}

// Removes the oldest rows beyond MOST.
function shorten() {
  while (state.rows.size > MOST) {
    const last = [...state.rows.keys()].at(-1);
    state.rows.delete(last);
    next = last + 1;
  }
}

let waiting = null;
function askAgain() {
  waiting ??= setTimeout(() => {
    waiting = null;
    reload({ keep: true });
  }, 120);
}

/** @param {import("./state.js").Ended} attempt */
export function attempted(attempt) {
  if (late) {
    late.push(() => attempted(attempt));
    return;
  }
  const row = state.rows.get(attempt.delivery_id);
  if (!row) return;
  row.last_attempt = attempt;
  if (attempt.app !== null && !row.apps.includes(attempt.app)) row.apps.push(attempt.app);
  if (attempt.duration_ms !== null && !attempt.replay) row.queued = attempt.will_retry;
  renew(attempt.delivery_id);
}

// Draws one row again, without taking the keyboard focus from it.
function renew(id) {
  const item = byId(`row-${id}`);
  if (!item || !state.rows.has(id)) return null;
  const made = rowOf(state.rows.get(id), false);
  const focused = item.contains(document.activeElement) ? document.activeElement.tagName : null;
  item.replaceWith(made);
  setTabStop();
  if (focused) made.querySelector(focused.toLowerCase())?.focus({ preventScroll: true });
  return made;
}

let pending = null;
let isStale = false; // whether more has changed than that the rows of `fresh` have arrived
const fresh = new Set();
// There are no frames while the tab is in the background, and notifications depend on drawings.
/** @returns {Promise<void>} */
const nextFrame = () =>
  new Promise((resolve) => {
    requestAnimationFrame(() => resolve());
    setTimeout(resolve, 250);
  });

/**
 * Draws the list with the next frame.
 * @param {number} [id] - a row that has just arrived
 * @returns {Promise<void>}
 */
function draw(id) {
  if (id === undefined) isStale = true;
  else fresh.add(id);
  pending ??= nextFrame().then(() => {
    pending = null;
    drawNow();
  });
  return pending;
}
export { draw as drawList };

function drawNow() {
  const restore = anchor();
  // A group's line among the rows: the address has changed, and the list has not been loaded since.
  const hasGroups = byId("list").querySelector(".group") !== null;
  if (isStale || grouping() || hasGroups) drawRows();
  else insertFresh();
  isStale = false;
  fresh.clear();
  restore();
  setTabStop();
  drawPicked();
  drawMore();
  drawPill();
  emit("drawn");
}

function drawRows() {
  const rows = [...state.rows.values()];
  const whole = next === null && !state.detached && ![...filters()].length;
  const items = grouping()
    ? grouped(rows, rowOf, { whole, redraw: () => draw() })
    : rows.map((row) => rowOf(row, fresh.has(row.delivery.id)));
  fill(byId("list"), ...items);
}

// Inserts the rows that have arrived, and removes those that `shorten` has: to draw hundreds of
// rows again for each new one takes longer than everything else between its request and the screen.
function insertFresh() {
  const list = byId("list");
  for (const item of list.querySelectorAll(".fresh")) item.classList.remove("fresh");
  for (const id of fresh) {
    if (!state.rows.has(id)) continue;
    let below = list.firstElementChild;
    while (below !== null && idOf(below) > id) below = below.nextElementSibling;
    list.insertBefore(rowOf(state.rows.get(id), true), below);
  }
  while (list.childElementCount > state.rows.size) list.lastElementChild.remove();
}

/** Where `anchor` has last put a row: browsers round what is scrolled to, and the errors of many
 * draws would add up.
 * @type {{id: string, place: number, scrolled: number} | null}
 */
let anchored = null;

// Keeps the first visible row where it is, unless the list is at its top.
function anchor() {
  const left = byId("left");
  if (left.scrollTop <= 0) return () => {};
  const top = () => left.getBoundingClientRect().top;
  const items = [...byId("list").children];
  const seen = items.find((item) => item.id && item.getBoundingClientRect().bottom > top() + 1);
  if (!seen) return () => {};
  const unmoved = anchored?.id === seen.id && anchored.scrolled === left.scrollTop;
  const place = unmoved ? anchored.place : seen.getBoundingClientRect().top - top();
  return () => {
    const now = byId(seen.id);
    if (!now) return;
    left.scrollTop += now.getBoundingClientRect().top - top() - place;
    anchored = { id: seen.id, place, scrolled: left.scrollTop };
  };
}

// One tab stop for the whole list: the chosen row, or the first.
function setTabStop() {
  const list = byId("list");
  const stop = list.querySelector(".row[aria-current=true]") ?? list.querySelector(".row");
  for (const row of list.querySelectorAll(".row[tabindex='0']")) row.tabIndex = -1;
  if (stop !== null) stop.tabIndex = 0;
}

let lastPicked = null;
function pick(id, isPicked, isRange) {
  const ids = shownIds();
  const [from, to] = [ids.indexOf(lastPicked), ids.indexOf(id)];
  const range = isRange && from >= 0 ? ids.slice(Math.min(from, to), Math.max(from, to) + 1) : [id];
  for (const each of range) {
    if (isPicked) state.picked.add(each);
    else state.picked.delete(each);
    const box = byId(`row-${each}`)?.querySelector("input");
    if (box) box.checked = isPicked;
  }
  lastPicked = id;
  drawPicked();
}

export function pickChosen() {
  if (state.chosen !== null) pick(state.chosen, !state.picked.has(state.chosen), false);
}

// What can be done with the picked rows, next to them.
/** @type {(count: number) => any[]} */
let actions = () => [];
export function setPickedActions(make) {
  actions = make;
}

export function drawPicked() {
  const count = state.picked.size;
  byId("picked").hidden = count === 0;
  if (!count) return;
  const clear = () => {
    state.picked.clear();
    for (const box of byId("list").querySelectorAll("input")) box.checked = false;
    drawPicked();
  };
  fill(
    byId("picked"),
    el("b", {}, `${count} selected`),
    actions(count),
    el("button", { type: "button", class: "quiet", onclick: clear }, "Clear selection"),
  );
}

/** @param {Api.Row} row */
function answerOf({ delivery, last_attempt: attempt }) {
  const [verdict, kind] = VERDICTS[delivery.verdict.state];
  const parts = [
    el("span", { class: `verdict-word ${kind}` }, verdict),
    " ",
    el("b", { class: `status ${statusClass(delivery.status)}` }, delivery.status ?? "…"),
  ];
  if (attempt === null) return [...parts, " ", el("span", { class: "took" })];
  const outcome = attempt.status === null ? (attempt.error ?? "…") : String(attempt.status);
  const isSame = attempt.status !== null && attempt.status === delivery.status;
  const took = milliseconds(attempt.duration_ms);
  return [
    ...parts,
    " ",
    el(
      "span",
      { class: "took", title: `App: ${outcome} ${took}` },
      isSame ? null : ["app ", el("span", { class: attemptClass(attempt) }, outcome), " "],
      took,
    ),
  ];
}

// That it waits for an app, and until when if that is known.
function waitingTag({ delivery, queued }) {
  if (!queued) return null;
  const at = state.retries.get(delivery.id)?.next_try_at ?? null;
  const words = at === null ? "queued" : `next try ${time(at)}`;
  return el("span", { class: "tag warn" }, words);
}

// Who received it and which apps it was sent to, where a shared history has several of them.
/** @param {Api.Row} row */
function nameTags({ delivery, apps }) {
  const status = state.status;
  const tag = (words, title) => el("span", { class: "tag dim name", title }, visible(words));
  const { listener } = delivery;
  return [
    listener !== null && (status?.listeners.length ?? 0) > 1
      ? tag(listener, `Received by ${visible(listener)}`)
      : null,
    apps.length && (status?.apps.length ?? 0) > 1
      ? tag(`→ ${apps.join(", ")}`, `Sent to ${visible(apps.join(", "))}`)
      : null,
  ];
}

/**
 * @param {Api.Row} row
 * @param {boolean} isFresh
 */
function rowOf(row, isFresh) {
  const { delivery } = row;
  const isChosen = state.chosen === delivery.id;
  const name = visible(eventName(delivery));
  const isEvent = typeof delivery.event?.event === "string";
  const classes = [isChosen ? "chosen" : "", isFresh ? "fresh" : ""].join(" ").trim();
  return el(
    "li",
    { id: `row-${delivery.id}`, class: classes || null },
    el("input", {
      type: "checkbox",
      tabindex: "-1",
      "aria-label": `Select delivery ${delivery.id}`,
      checked: state.picked.has(delivery.id),
      onclick: (event) => pick(delivery.id, event.target.checked, event.shiftKey),
    }),
    el(
      "button",
      {
        type: "button",
        class: "row",
        tabindex: "-1", // see setTabStop
        "aria-current": isChosen ? "true" : null,
        onclick: () => choose(delivery.id),
      },
      el("span", { class: "id" }, `#${delivery.id}`),
      el("time", { class: "dim", datetime: delivery.received_at }, time(delivery.received_at)),
      el(
        "span",
        { class: "what" },
        el(
          "span",
          { class: "named" },
          el(
            "span",
            { class: `event ${isEvent ? productClass(row.product) : "p-unknown"}`, title: name },
            name,
          ),
          delivery.redelivery_of
            ? el(
                "span",
                {
                  class: "tag warn",
                  title: `Delivery ${delivery.redelivery_number} of #${delivery.redelivery_of}`,
                },
                `↻ ${delivery.redelivery_number}`,
              )
            : null,
          waitingTag(row),
          delivery.source === "tiktok" ? null : el("span", { class: "tag dim" }, delivery.source),
          nameTags(row),
        ),
        el("span", { class: "words" }, visible(delivery.summary)),
      ),
      el("span", { class: "answer" }, answerOf(row)),
    ),
  );
}

function drawMore() {
  byId("older").hidden = next === null;
  const searching = readsBodies() && next !== null;
  byId("older").textContent = searching ? `Search older than #${next}` : "Older";
  const hasFilters = [...filters()].length > 0;
  const isEmpty = state.rows.size === 0;
  document.body.classList.toggle("empty", isEmpty && loaded && !hasFilters && failure === null);
  byId("empty").hidden = !isEmpty;
  if (!isEmpty) return;
  if (failure === null && !hasFilters) {
    drawEmpty(byId("empty"));
    return;
  }
  const reset = () => {
    setFilters();
    emit("narrowed");
  };
  const words = searching ? `No match down to #${next} yet.` : "No match for these filters.";
  fill(
    byId("empty"),
    el("p", {}, failure ?? words),
    el("button", { type: "button", onclick: reset }, "Reset filters"),
  );
}

// Rows that arrived above, and the way back to the newest.
function drawPill() {
  // Where nothing is unseen the place is not read: after a drawing that lays out the list first.
  if (unseen && !state.detached && byId("left").scrollTop <= 0) unseen = 0;
  const pill = byId("pill");
  pill.hidden = unseen === 0 && !state.detached;
  pill.textContent = unseen ? `${plural(unseen, "new", "new")} ↑` : "Newest ↑";
}

export async function toNewest() {
  unseen = 0;
  if (state.detached) await reload();
  byId("left").scrollTop = 0;
  drawPill();
}

export const scrolled = () => drawPill();

const idOf = (item) => Number(item.id.slice("row-".length));
const shownIds = () => [...byId("list").querySelectorAll("li[id]")].map(idOf);

export function choose(id, { replace = false } = {}) {
  const before = state.chosen;
  state.chosen = id;
  const push = before === null && id !== null && !replace;
  setAddress({ id: id === null ? null : String(id) }, { push });
  for (const each of [before, id]) {
    const made = renew(each);
    if (made && each === id) made.scrollIntoView({ block: "nearest" });
  }
  emit("chosen", id);
}

// The next or previous delivery, also beyond what is loaded.
export async function step(by) {
  let ids = shownIds();
  if (!ids.length) return;
  const at = ids.indexOf(state.chosen);
  let to = at + by;
  if (at < 0) {
    // The chosen one is not loaded: its neighbour is the nearest id.
    to = state.chosen === null ? 0 : ids.findIndex((id) => id < state.chosen);
    if (to < 0) to = ids.length - 1;
    else if (by < 0) to = Math.max(0, to - 1);
  }
  if (to >= ids.length && next !== null) {
    await older();
    ids = shownIds();
    to = Math.min(ids.indexOf(state.chosen) + 1, ids.length - 1);
  } else if (to < 0 && state.detached) {
    await newer();
    ids = shownIds();
    to = Math.max(0, ids.indexOf(state.chosen) - 1);
  }
  const id = ids[Math.min(ids.length - 1, Math.max(0, to))];
  const hadFocus = byId("list").contains(document.activeElement);
  choose(id);
  if (hadFocus) byId(`row-${id}`)?.querySelector(".row").focus({ preventScroll: true });
}

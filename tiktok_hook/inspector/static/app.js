// The page put together: what is drawn when, live events, keys.

import { call } from "./api.js";
import { download, drawDetail, renewAges } from "./detail.js";
import { byId, copy, el, say } from "./dom.js";
import { drawFilters, drawMatching } from "./filters.js";
import { drawHead, drawLost } from "./head.js";
import {
  arrived,
  attempted,
  choose,
  drawList,
  drawPicked,
  followEnd,
  missed,
  older,
  pickChosen,
  reload,
  scrolled,
  setPickedActions,
  step,
  toNewest,
} from "./list.js";
import { notifyAttempt, notifyButton, notifyRow } from "./notify.js";
import { pickedActions } from "./picked.js";
import { openClear, openExport, openKeys, openSamples, openTokenForm } from "./samples.js";
import { apiFilters, filters, readsBodies, state } from "./state.js";
import { follow } from "./stream.js";
import { drawStrip } from "./strip.js";
import {
  confirmToken,
  forgetToken,
  shareToken,
  storeToken,
  storedToken,
  takeTokenFromAddress,
  tokenFromInput,
  tokenFromOtherTabs,
  wasRejected,
} from "./token.js";

const WIDE = matchMedia("(min-width: 781px)");
let catalogue = { samples: [], scenarios: [] };

const tool = (words, onclick, attributes = {}) =>
  el("button", { type: "button", onclick, ...attributes }, words);

function tools() {
  const isLost = state.lostAt !== null;
  const canSend = state.status?.local_url && !isLost;
  return [
    tool("Send a sample…", () => openSamples(catalogue), {
      id: "open-samples",
      disabled: !canSend,
    }),
    tool("Export…", () => openExport(download), { id: "open-export", disabled: isLost }),
    tool("Clear…", () => openClear(cleared), { id: "open-clear", disabled: isLost }),
    notifyButton(redrawHead),
    tool("?", openKeys, { id: "open-keys", "aria-label": "Keys" }),
  ];
}

function redrawHead() {
  if (state.status) drawHead(state.status, tools(), changed);
}

/** @param {Api.Status} status */
const namesOf = ({ listeners, apps }) => JSON.stringify([listeners, apps]);

async function refresh() {
  try {
    const before = state.status;
    state.status = await call("status");
    redrawHead();
    if (before !== null && namesOf(before) !== namesOf(state.status)) {
      drawFilters(catalogue.samples, changed);
      drawList();
    }
    const failed = state.status.history.failed;
    const received = state.status.history.received;
    document.title = `${failed ? `(${failed}) ` : ""}${received} · tiktok-hook`;
    if (!state.rows.size) drawList(); // the instructions of an empty list depend on the status
    await refreshMatching();
  } catch (error) {
    if (error.status !== 0) say(error.message);
  }
}

async function refreshMatching() {
  if (![...filters()].length || readsBodies()) {
    drawMatching(null);
    return;
  }
  try {
    const { matching } = await call(`count?${apiFilters()}`);
    drawMatching(matching, state.status.history.received);
  } catch (error) {
    if (error.status !== 400) throw error;
    drawMatching(null); // the list shows why
  }
}

// Combines bursts of events into one refresh.
let due = null;
function soon() {
  due ??= setTimeout(async () => {
    due = null;
    await refresh();
    drawStrip(changed);
  }, 500);
}

function changed() {
  drawFilters(catalogue.samples, changed);
  reload();
  drawStrip(changed);
  refresh();
}

function cleared() {
  state.picked.clear();
  drawPicked();
  choose(null);
  changed();
}

function lost(isLost) {
  if (isLost === (state.lostAt !== null)) return;
  state.lostAt = isLost ? Date.now() : null;
  drawLost();
  redrawHead();
  if (state.chosen !== null) drawDetail(state.chosen, { quietly: true });
  if (!isLost) say("Connected again.");
}

listen("chosen", drawDetail);
/**
 * @param {string} name - of an event made by `emit`
 * @param {(detail: any) => void} handler
 */
function listen(name, handler) {
  document.addEventListener(name, (event) => handler(/** @type {CustomEvent} */ (event).detail));
}

document.addEventListener("leave", () => {
  choose(null);
  byId("list").focus();
});
listen("go", choose);
document.addEventListener("narrowed", changed);
document.addEventListener("open-samples", () => openSamples(catalogue));
listen("attempted", onAttempt);
document.addEventListener("unreachable", () => lost(true));

/** @param {import("./state.js").Ended} attempt */
function onAttempt(attempt) {
  if (attempt.duration_ms !== null && !attempt.replay) {
    state.retries.delete(attempt.delivery_id); // the newest is the last
    state.retries.set(attempt.delivery_id, attempt);
    if (state.retries.size > 1000) state.retries.delete(state.retries.keys().next().value);
  }
  attempted(attempt);
  notifyAttempt(attempt);
  if (attempt.delivery_id === state.chosen) drawDetail(state.chosen);
  soon();
}

/** @param {{ paused: boolean, waiting: number }} queue */
function onQueue(queue) {
  if (state.status) Object.assign(state.status, queue);
  redrawHead();
  soon();
}

/** @param {Api.Row} row */
function onDelivery(row) {
  const isAnswer = state.rows.has(row.delivery.id);
  const isFirst = state.rows.size === 0 && state.chosen === null;
  arrived(row);
  // An attempt that has ended by then is not sent again on its own.
  if (row.last_attempt !== null) notifyAttempt(row.last_attempt);
  if (isFirst && WIDE.matches) {
    state.chosen = row.delivery.id;
    drawDetail(state.chosen);
  }
  if (row.delivery.id === state.chosen && isAnswer) drawDetail(state.chosen);
  soon();
}

document.addEventListener("drawn", () => {
  for (const row of state.rows.values()) {
    if (Date.now() - Date.parse(row.delivery.received_at) < 5000) notifyRow(row, true);
  }
});

setPickedActions(pickedActions);
byId("older").addEventListener("click", () => older().catch((error) => say(error.message)));
byId("pill").addEventListener("click", () => toNewest());
byId("left").addEventListener("scroll", () => {
  scrolled();
  followEnd();
});

const ACTIONS = {
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  "/": () => byId("search")?.focus(),
  f: () => byId("filter")?.focus(),
  "?": openKeys,
  r: () => byId("replay")?.click(),
  e: () => byId("edit")?.click(),
  x: pickChosen,
  g: toNewest,
  c: () => state.status?.callback_url && copy(state.status.callback_url, "Callback URL"),
};

// Arrows scroll where there is something to scroll or choose; elsewhere they move through the list.
const usesArrows = (target) => target.closest("#detail, select, [role=tab], #strip, pre") !== null;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = /** @type {Element} */ (event.target);
  // A field of a dialog that has just closed keeps the keyboard until the next drawing.
  const isClosed = target.closest("dialog:not([open])");
  const fields = "input:not([type=checkbox]), textarea, select";
  const typing = isClosed ? null : /** @type {HTMLElement} */ (target.closest(fields));
  if (event.key === "Escape" && !byId("dialog").open) {
    if (typing) typing.blur();
    else choose(null);
    return;
  }
  if (typing || byId("dialog").open) return;
  if (event.key.startsWith("Arrow") && usesArrows(target)) return;
  const act = ACTIONS[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

addEventListener("popstate", () => {
  state.chosen = idInAddress();
  drawDetail(state.chosen);
  changed();
});

const idInAddress = () => Number(new URLSearchParams(location.search).get("id")) || null;

// Whether the API accepts this tab; otherwise the form for the token is shown.
async function hasAccess() {
  const taken = takeTokenFromAddress();
  if (!taken && storedToken() === null) {
    const found = await tokenFromOtherTabs();
    if (found !== null) storeToken(found);
  }
  shareToken(() => location.reload());
  addEventListener("hashchange", () => {
    if (takeTokenFromAddress()) location.reload();
  });
  try {
    await call("status");
  } catch (error) {
    return error.status !== 401; // the form is open then
  }
  confirmToken();
  return true;
}

/** @param {string | null} rejected - the token of the request that was rejected */
function askForToken(rejected) {
  if (storedToken() !== rejected) return; // a newer one has been stored meanwhile
  if (forgetToken()) {
    location.reload();
    return;
  }
  const words = wasRejected() ? "The token is wrong, or it was replaced." : "";
  openTokenForm(words, (given) => {
    storeToken(tokenFromInput(given));
    location.reload();
  });
}
listen("rejected", askForToken);

// Shows the delivery that the address names, or the newest where there is room for both panes.
async function showFirst() {
  if (state.chosen === null) {
    await reload();
    const newest = state.rows.keys().next().value;
    if (newest !== undefined && WIDE.matches) {
      state.chosen = newest;
      drawList();
    }
  } else {
    await reload();
    if (!state.rows.has(state.chosen)) {
      const oldest = [...state.rows.keys()].at(-1);
      if (oldest !== undefined && state.chosen < oldest) await reload({ around: state.chosen });
    }
  }
  drawDetail(state.chosen);
  await drawList();
  byId(`row-${state.chosen}`)?.scrollIntoView({ block: "nearest" });
}

async function start() {
  state.chosen = idInAddress();
  if (!(await hasAccess())) return;
  catalogue = await call("samples");
  await refresh();
  drawFilters(catalogue.samples, changed);
  drawStrip(changed);
  await showFirst();
  follow({
    delivery: onDelivery,
    attempt: onAttempt,
    tunnel: soon,
    app: soon,
    queue: onQueue,
    reset: () => {
      missed();
      soon();
    },
    rejected: askForToken,
    // What arrived between the list's first page and the stream, or while there was none.
    open: () => {
      lost(false);
      missed();
      soon();
    },
    lost: () => lost(true),
  });
  setInterval(() => drawStrip(changed), 60000);
  setInterval(renewAges, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) drawList();
  });
  drawPicked();
}

start().catch((error) => say(error.message));

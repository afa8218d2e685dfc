// The page put together: what is drawn when, live events, keys.

import { call } from "./api.js";
import { comparePicked } from "./compare.js";
import { download, drawDetail } from "./detail.js";
import { byId, copy, el, say } from "./dom.js";
import { drawFilters } from "./filters.js";
import { drawHead } from "./head.js";
import { arrived, attempted, choose, drawList, older, reload, step } from "./list.js";
import { replayPicked } from "./replay.js";
import { openClear, openExport, openKeys, openSamples, openTokenForm } from "./samples.js";
import { filters, state } from "./state.js";
import { follow } from "./stream.js";
import { drawStrip } from "./strip.js";
import {
  forgetToken, shareToken, storedToken, storeToken, takeTokenFromAddress, tokenFromInput, tokenFromOtherTabs,
} from "./token.js";

let samples = [];

const tool = (words, onclick, attributes = {}) => el("button", { type: "button", onclick, ...attributes }, words);

function tools() {
  const count = state.picked.size;
  return [
    count ? tool(`Replay ${count} in order`, replayPicked, { id: "replay-picked" }) : null,
    count === 2 ? tool("Compare", comparePicked, { id: "compare" }) : null,
    tool("Send a sample…", () => openSamples(samples), { id: "open-samples" }),
    tool("Export…", () => openExport(download), { id: "open-export" }),
    tool("Clear…", () => openClear(changed), { id: "open-clear" }),
    tool("?", openKeys, { "aria-label": "Keys" }),
  ].filter(Boolean);
}

async function refresh() {
  try {
    state.status = await call("status");
    drawHead(state.status, tools());
    document.title = `${state.status.history.received} · tiktok-hook`;
  } catch (error) {
    say(error.message);
  }
}

// Many things may come at once; what has to ask the server is then done once.
let due = null;
function soon() {
  if (due !== null) return;
  due = setTimeout(async () => { due = null; await refresh(); drawStrip(changed); }, 500);
}

function changed() {
  drawFilters(samples, changed);
  reload();
  drawStrip(changed);
  refresh();
}

document.addEventListener("chosen", (event) => drawDetail(event.detail));
document.addEventListener("leave", () => { choose(null); byId("list").focus(); });
document.addEventListener("narrowed", changed);
document.addEventListener("picked", () => { if (state.status) drawHead(state.status, tools()); });
document.addEventListener("attempted", (event) => onAttempt(event.detail));

function onAttempt(attempt) {
  attempted(attempt);
  if (attempt.delivery_id === state.chosen) drawDetail(state.chosen);
  soon();
}

byId("older").addEventListener("click", () => older().catch((error) => say(error.message)));
byId("left").addEventListener("scroll", () => {
  const left = byId("left");
  if (left.scrollTop + left.clientHeight > left.scrollHeight - 300 && !byId("older").hidden && !filters().get("q")) {
    byId("older").hidden = true;
    older().catch((error) => say(error.message));
  }
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // A field of a dialog that has just closed keeps the keyboard until the next drawing.
  const left = event.target.closest("dialog:not([open])");
  const typing = left ? null : event.target.closest("input:not([type=checkbox]), textarea, select");
  if (event.key === "Escape" && !byId("dialog").open) {
    if (typing) typing.blur(); else choose(null);
    return;
  }
  if (typing || byId("dialog").open) return;
  const act = {
    j: () => step(1), k: () => step(-1), "/": () => byId("search").focus(), "?": openKeys,
    r: () => byId("replay")?.click(), e: () => byId("edit")?.click(),
    c: () => state.status?.callback_url && copy(state.status.callback_url, "Callback URL"),
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});

addEventListener("popstate", () => {
  state.chosen = Number(new URLSearchParams(location.search).get("id")) || null;
  drawDetail(state.chosen);
  changed();
});

// Whether the API accepts this tab; otherwise the form for the token is shown.
async function hasAccess() {
  const taken = takeTokenFromAddress();
  if (!taken && storedToken() === null) {
    const found = await tokenFromOtherTabs();
    if (found !== null) storeToken(found);
  }
  shareToken(() => location.reload());
  addEventListener("hashchange", () => { if (takeTokenFromAddress()) location.reload(); });
  try {
    await call("status");
  } catch (error) {
    if (error.status === 401) return false; // the form is open
  }
  return true;
}

function askForToken() {
  const words = storedToken() === null ? "" : "The token is wrong, or it was replaced.";
  forgetToken();
  openTokenForm(words, (given) => { storeToken(tokenFromInput(given)); location.reload(); });
}
document.addEventListener("rejected", askForToken);

async function start() {
  state.chosen = Number(new URLSearchParams(location.search).get("id")) || null;
  if (!(await hasAccess())) return;
  drawDetail(state.chosen);
  samples = (await call("samples")).samples;
  await refresh();
  changed();
  let lost = false;
  follow({
    delivery: (row) => { arrived(row); soon(); },
    attempt: onAttempt,
    tunnel: soon,
    app: soon,
    reset: changed,
    rejected: askForToken,
    // Whatever came between the list's first page and the stream, or while there was none.
    open: () => { if (lost) say("Connected again."); lost = false; reload(); soon(); },
    lost: () => { if (!lost) { lost = true; say("The connection to tiktok-hook is lost; trying again."); } },
  });
  setInterval(() => drawStrip(changed), 60000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) drawList(); });
}

start().catch((error) => say(error.message));

// The session in one line: Callback URL, tunnel, target, counts, tools; a bar when it has ended.

import { call } from "./api.js";
import { closeButton, openDialog } from "./dialog.js";
import { byId, copy, el, fill, say } from "./dom.js";
import { filters, setFilters, state } from "./state.js";
import { plural, span, time, visible } from "./words.js";

const fact = (kind, words, title) =>
  el(
    "span",
    { class: "fact", title },
    el("span", { class: `dot ${kind}`, "aria-hidden": "true" }),
    words,
  );

/** @param {Api.Status} status */
function tunnelFact({ tunnel, callback_url: url }) {
  if (tunnel === null) return fact("", url ? "no tunnel" : "stored history, no receiver");
  if (tunnel.state === "online") return fact("good", "tunnel online", tunnel.error);
  const away = span((Date.now() - Date.parse(tunnel.since)) / 1000);
  return fact("bad", `tunnel ${tunnel.state} for ${away}`, tunnel.error);
}

const upWords = (up) =>
  up === false ? ["bad", "does not respond"] : up ? ["good", "up"] : ["", "not tried yet"];

const shortened = (target) => target.replace(/^https?:\/\//, "");

// Where deliveries go: the first target, or of several how many respond.
/** @param {Api.Status} status */
function targetFact(status) {
  const { routes, target, answers } = status;
  const rules = answers.length ? plural(answers.length, "answer rule", "answer rules") : "";
  if (!target && !rules) return null;
  const down = new Set(routes.filter((each) => each.up === false).map((each) => each.target));
  const [kind, words] = upWords(status.target_up);
  const several = `${plural(status.targets.length, "target", "targets")}, `;
  const isOne = routes.length === 1;
  const health = down.size ? `${down.size} down` : words;
  const where = isOne ? `${shortened(target)} ${words}` : `${several}${health}`;
  const label = [target ? where : "", rules].filter((each) => each).join(", ");
  return el(
    "button",
    {
      type: "button",
      class: "fact",
      id: "targets",
      title: "Routes and queues",
      onclick: openTargets,
    },
    el("span", { class: `dot ${down.size ? "bad" : kind}`, "aria-hidden": "true" }),
    label,
  );
}

async function openTargets() {
  /** @type {Api.Status} */
  let status;
  try {
    status = await call("status"); // the counts of the queues change all the time
  } catch (error) {
    say(error.message);
    return;
  }
  const { routes, queues, ack, paused } = status;
  const waiting = new Map(queues.map((each) => [each.target, each]));
  const unrouted = queues.filter((each) => routes.every(({ target }) => target !== each.target));
  const row = ({ filter, target, up }) => {
    const queue = waiting.get(target);
    const next = queue?.next_try_at ? `, next retry ${time(queue.next_try_at)}` : "";
    return el(
      "tr",
      {},
      el("td", {}, filter === null ? "everything" : el("code", {}, visible(filter))),
      el("td", {}, visible(target)),
      el("td", { class: upWords(up)[0] }, upWords(up)[1]),
      el("td", {}, queue ? `${queue.waiting} queued${next}` : "nothing queued"),
    );
  };
  const old = unrouted.map(({ target }) => ({ filter: "of an earlier session", target, up: null }));
  openDialog(
    "Where deliveries go",
    routes.length + old.length ? targetTable([...routes, ...old].map(row)) : null,
    answerRules(status),
    el("p", { class: "dim" }, paused ? "Forwarding is paused. " : null, ACKS[ack] ?? null),
    el("div", { class: "buttons" }, closeButton()),
  );
}

/** @param {any[]} rows */
const targetTable = (rows) =>
  el(
    "table",
    { class: "routes" },
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        ["Filter", "Target", "State", "Queue"].map((each) => el("th", {}, each)),
      ),
    ),
    el("tbody", {}, rows),
  );

/** @param {Api.Status} status */
function answerRules({ answers }) {
  if (!answers.length) return null;
  return [
    el("h2", {}, "Answer rules: the first that matches chooses what TikTok is answered"),
    el(
      "table",
      { class: "routes", id: "answer-rules" },
      el(
        "tbody",
        {},
        answers.map(({ filter, answer }) =>
          el(
            "tr",
            {},
            el("td", {}, el("code", {}, visible(filter))),
            el("td", {}, `answered ${answer}`),
          ),
        ),
      ),
    ),
  ];
}

const ACKS = {
  app: "TikTok gets the answer of the first target that matches.",
  first: "TikTok gets 200 at once; deliveries are then forwarded in order, and tried again.",
  hold: "TikTok gets 200; deliveries are forwarded when they are released.",
};

function count(number, words, wanted, kind, changed) {
  const is = [...filters()].join() === Object.entries(wanted).join();
  return el(
    "button",
    {
      type: "button",
      class: number && kind ? `count ${kind}` : "count",
      "aria-pressed": kind ? String(is) : null,
      onclick: () => {
        setFilters(is ? {} : wanted);
        changed();
      },
    },
    el("b", {}, number),
    ` ${words}`,
  );
}

export function drawHead(status, tools, changed) {
  const counts = status.history;
  const callback = status.callback_url
    ? [
        el("code", { id: "callback-url" }, status.callback_url),
        el(
          "button",
          { type: "button", onclick: () => copy(status.callback_url, "Callback URL") },
          "Copy",
        ),
      ]
    : el("strong", {}, "tiktok-hook");
  const lost = state.lostAt !== null;
  fill(
    byId("head"),
    el("div", { class: "url" }, callback),
    lost ? fact("bad", "not running") : [tunnelFact(status), targetFact(status)],
    el(
      "span",
      { class: "counts" },
      count(counts.received, "received", {}, "", changed),
      count(counts.rejected, "rejected", { verdict: "rejected" }, "bad", changed),
      count(counts.failed, "failed in your app", { failed: "1" }, "bad", changed),
      counts.pending || status.waiting
        ? count(counts.pending || status.waiting, "queued", { queued: "1" }, "warn", changed)
        : null,
      status.paused ? el("span", { class: "tag warn" }, "paused") : null,
    ),
    el("div", { class: "tools" }, tools),
  );
}

// The bar that stays for as long as tiktok-hook does not respond.
export function drawLost() {
  const bar = byId("lost");
  const isLost = state.lostAt !== null;
  document.body.classList.toggle("lost", isLost);
  bar.hidden = !isLost;
  if (!isLost) return;
  const loaded = plural(state.rows.size, "delivery", "deliveries");
  const shown = `Showing the ${loaded} that were loaded.`;
  bar.textContent = `tiktok-hook stopped at ${time(state.lostAt)}. ${shown} Reconnecting…`;
}

// The session in one line: Callback URL, tunnel, target, counts, tools; a bar when it has ended.

import { byId, copy, el, fill } from "./dom.js";
import { filters, setFilters, state } from "./state.js";
import { plural, span, time } from "./words.js";

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

/** @param {Api.Status} status */
function targetFact(status) {
  if (!status.target) return null;
  const [kind, words] =
    status.target_up === false
      ? ["bad", "does not respond"]
      : status.target_up
        ? ["good", "up"]
        : ["", "not tried yet"];
  const name = status.target.replace(/^https?:\/\//, "");
  const more = status.targets.length > 1 ? ` + ${status.targets.length - 1}` : "";
  return fact(kind, `${name} ${words}${more}`, `Deliveries go to ${status.targets.join(", ")}`);
}

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
      count(counts.refused, "rejected", { verdict: "rejected" }, "bad", changed),
      count(counts.failed, "failed in your app", { failed: "1" }, "bad", changed),
    ),
    status.waiting
      ? el("span", { class: "fact warn" }, el("b", {}, status.waiting), " queued")
      : null,
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

// The session in one line: Callback URL, tunnel, target, counts, tools.

import { byId, copy, el, fill } from "./dom.js";
import { ago } from "./words.js";

export function drawHead(status, tools) {
  const tunnel = status.tunnel;
  const facts = [];
  if (tunnel) {
    const online = tunnel.state === "online";
    const since = ago((Date.now() - new Date(tunnel.since)) / 1000).replace(" ago", "");
    facts.push(fact(online ? "good" : "bad", online ? "tunnel online" : `tunnel ${tunnel.state} for ${since}`, tunnel.error));
  } else if (status.callback_url) facts.push(fact("", "no tunnel"));
  else facts.push(fact("", "a stored history, nothing listens"));
  if (status.target) {
    const [kind, words] = status.target_up === false ? ["bad", "does not answer"] : status.target_up ? ["good", "up"] : ["", "not tried yet"];
    facts.push(fact(kind, `${status.target.replace(/^https?:\/\//, "")} ${words}`, `Deliveries are handed to ${status.target}`));
  }
  const counts = status.history;
  fill(byId("head"),
    el("div", { class: "url" },
      status.callback_url
        ? [el("code", { id: "callback-url" }, status.callback_url),
           el("button", { type: "button", onclick: () => copy(status.callback_url, "Callback URL") }, "Copy")]
        : el("strong", {}, "tiktok-hook")),
    facts,
    el("span", { class: "fact" }, el("b", {}, counts.received), " received"),
    el("span", { class: counts.refused ? "fact bad" : "fact" }, el("b", {}, counts.refused), " refused"),
    el("span", { class: counts.failed ? "fact bad" : "fact" }, el("b", {}, counts.failed), " failed in your app"),
    status.waiting ? el("span", { class: "fact warn" }, el("b", {}, status.waiting), " wait") : null,
    el("div", { class: "tools" }, tools),
  );
}

const fact = (kind, words, title) => el("span", { class: "fact", title }, el("span", { class: `dot ${kind}`, "aria-hidden": "true" }), words);

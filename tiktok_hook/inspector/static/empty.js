// What to do while nothing has arrived.

import { copy, el, fill } from "./dom.js";
import { emit, state } from "./state.js";

const code = (text) => el("code", {}, text);

function steps(status) {
  const sample = el(
    "button",
    { type: "button", class: "main", onclick: () => emit("open-samples") },
    "Send a sample…",
  );
  if (!status?.local_url) {
    return [
      el("p", {}, "This history is empty, and no receiver is running."),
      el("p", {}, "Start one with ", code("tiktok-hook listen"), "."),
    ];
  }
  const url = status.callback_url ?? status.local_url;
  const address = el(
    "p",
    { class: "address" },
    el("code", {}, url),
    el("button", { type: "button", onclick: () => copy(url, "Callback URL") }, "Copy"),
  );
  if (!status.public) {
    return [
      el("h2", {}, "Waiting for the first delivery"),
      el("p", {}, "There is no tunnel, so TikTok cannot reach this receiver:"),
      address,
      el("p", {}, "Send a sample from here, or post to the address yourself."),
      sample,
      el(
        "p",
        { class: "dim" },
        "Without ",
        code("--no-tunnel"),
        ", ",
        code("tiktok-hook listen"),
        " prints a public address for TikTok.",
      ),
    ];
  }
  return [
    el("h2", {}, "Waiting for the first delivery"),
    el("p", {}, "Callback URL:"),
    address,
    el(
      "ol",
      {},
      el("li", {}, "Open your app in TikTok's Developer Portal."),
      el("li", {}, "Add the Webhooks product, if it is not there yet."),
      el("li", {}, "Paste the Callback URL."),
      el("li", {}, "Press Test URL. A tiktok.ping then appears here."),
      el("li", {}, "Save changes."),
    ),
    el("p", {}, "Or try it without the portal:"),
    sample,
  ];
}

export const drawEmpty = (place) => fill(place, ...steps(state.status));

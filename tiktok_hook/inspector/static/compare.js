// Two deliveries as a line diff.

import { bodyOf, call } from "./api.js";
import { closeButton, openDialog } from "./dialog.js";
import { diff } from "./diff.js";
import { el, say } from "./dom.js";
import { pretty } from "./exact.js";
import { state } from "./state.js";
import { headerText } from "./words.js";

// Headers are sorted by name, because a different order is not a meaningful difference.
function asText(delivery) {
  const body = bodyOf(delivery);
  const query = delivery.query ? `?${delivery.query}` : "";
  const headers = delivery.headers
    .map(([name, value]) => `${name}: ${headerText(value)}`)
    .sort((one, other) => one.toLowerCase().localeCompare(other.toLowerCase()));
  const shown = body.text === null ? "(binary)" : pretty(body.text);
  return [`${delivery.method} ${delivery.path}${query}`, ...headers, "", shown].join("\n");
}

export async function comparePicked() {
  const [first, second] = [...state.picked].sort((one, other) => one - other);
  try {
    const [one, other] = await Promise.all([first, second].map((id) => call(`deliveries/${id}`)));
    const verdicts = `Verdicts: ${one.delivery.verdict.state} and ${other.delivery.verdict.state}.`;
    openDialog(
      `#${first} and #${second}`,
      el("p", { class: "dim" }, `− only in #${first}, + only in #${second}. ${verdicts}`),
      el(
        "div",
        { class: "diff", tabindex: "0" },
        diff(asText(one.delivery), asText(other.delivery)),
      ),
      el("div", { class: "buttons" }, closeButton()),
    );
  } catch (error) {
    say(error.message);
  }
}

// Actions on the deliveries that are selected in the list.

import { comparePicked } from "./compare.js";
import { el } from "./dom.js";
import { replayPicked } from "./replay.js";

export function pickedActions(count) {
  const button = (id, words, onclick) => el("button", { type: "button", id, onclick }, words);
  return [
    button("replay-picked", `Replay ${count} in order`, replayPicked),
    count === 2 ? button("compare", "Compare", comparePicked) : null,
  ];
}

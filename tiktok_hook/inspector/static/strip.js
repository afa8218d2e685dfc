// The last hours drawn: deliveries by verdict, the app's answers, outages; a click filters the list.

import { call } from "./api.js";
import { byId, el, fill, svg } from "./dom.js";
import { filters, setAddress, state } from "./state.js";
import { milliseconds, moment } from "./words.js";

const SPANS = [1, 3, 6, 12, 24]; // hours; the shortest that holds the session is drawn
const BUCKETS = 72;
const WIDTH = 720;
const HEIGHT = 44;
const ORDER = ["valid", "unchecked", "stale", "missing", "invalid"];

export async function drawStrip(changed) {
  const began = state.status?.started_at ? new Date(state.status.started_at) : 0;
  const hours = SPANS.find((each) => Date.now() - began < each * 3600000) ?? SPANS.at(-1);
  const step = (hours * 3600) / BUCKETS;
  const until = Math.ceil(Date.now() / 1000 / step) * step;
  const since = until - hours * 3600;
  let found;
  try {
    found = await call(`timeline?since=${since}&until=${until}&buckets=${BUCKETS}`);
  } catch {
    return;
  }
  const buckets = found.buckets;
  const span = (until - since) / buckets.length;
  const x = (at) => ((at - since) / (until - since)) * WIDTH;
  const total = (bucket) => Object.values(bucket.verdicts).reduce((sum, count) => sum + count, 0);
  const highest = Math.max(1, ...buckets.map(total));
  const slowest = Math.max(1, ...buckets.map((bucket) => bucket.mean_ms ?? 0));
  const outages = (state.status?.offline ?? []).map((each) => ({ since: new Date(each.since) / 1000, until: each.until === null ? null : new Date(each.until) / 1000 }))
    .filter((each) => (each.until ?? until) > since);
  const lost = outages.length ? `${outages.length} ${outages.length === 1 ? "outage" : "outages"} of the tunnel` : "";
  const now = filters();
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "group", "aria-label": `${lost && `${lost}, `}${buckets.reduce((sum, each) => sum + total(each), 0)} deliveries in the last ${hours === 1 ? "hour" : `${hours} hours`}` });
  for (const outage of outages) {
    const left = Math.max(0, x(outage.since));
    const width = Math.max(1, x(outage.until ?? Date.now() / 1000) - left);
    picture.append(svg("rect", { class: "outage", x: left, y: 0, width, height: HEIGHT }));
  }
  const width = WIDTH / buckets.length;
  const line = [];
  buckets.forEach((bucket, number) => {
    const left = number * width;
    const chosen = Number(now.get("since")) === Math.floor(bucket.since);
    const pick = () => { setAddress(chosen ? { since: null, until: null } : { since: Math.floor(bucket.since), until: Math.ceil(bucket.since + span) }); changed(); };
    const offline = outages.some((each) => each.since < bucket.since + span && (each.until ?? until) > bucket.since);
    const words = `${moment(bucket.since * 1000)}: ${total(bucket)} deliveries, ${bucket.failed} failed in your app${offline ? ", the tunnel was lost" : ""}`;
    const hit = svg("rect", {
      class: chosen ? "chosen" : "hit", x: left, y: 0, width, height: HEIGHT, onclick: pick,
      ...(total(bucket) || chosen ? {
        id: `bucket-${Math.floor(bucket.since)}`, tabindex: "0", role: "button", "aria-label": words, "aria-pressed": String(chosen),
        onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(); } },
      } : {}),
    });
    hit.append(svg("title"));
    hit.firstChild.textContent = words;
    picture.append(hit);
    let top = HEIGHT - 4;
    for (const verdict of ORDER) {
      const count = bucket.verdicts[verdict] ?? 0;
      if (!count) continue;
      const height = Math.max(1.5, (count / highest) * (HEIGHT - 10));
      top -= height;
      picture.append(svg("rect", { class: verdict, x: left + 1, y: Math.max(0, top), width: width - 2, height, "pointer-events": "none" }));
    }
    if (bucket.failed) picture.append(svg("circle", { class: "failed", cx: left + width / 2, cy: HEIGHT - 2, r: 2, "pointer-events": "none" }));
    if (bucket.mean_ms !== null) line.push(`${(left + width / 2).toFixed(1)},${(HEIGHT - 6 - (bucket.mean_ms / slowest) * (HEIGHT - 14)).toFixed(1)}`);
  });
  if (line.length > 1) picture.append(svg("polyline", { class: "mean", points: line.join(" "), "pointer-events": "none" }));
  picture.append(svg("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT - 4, y2: HEIGHT - 4 }));
  fill(byId("strip"), el("figure", {}, picture, el("figcaption", {}, el("span", {}, `${hours} h ago`), line.length ? el("span", {}, `your app: ${milliseconds(slowest)} at most on average`) : null, lost ? el("span", { class: "bad" }, lost) : null, el("span", {}, "now"))));
}

// The timeline: deliveries by verdict, the app's latency, outages; a click filters the list.

import { call } from "./api.js";
import { byId, el, fill, svg } from "./dom.js";
import { filters, setAddress, state } from "./state.js";
import { milliseconds, moment, plural, span as spanWords, time } from "./words.js";

const SHORTEST = 120; // seconds; there is nothing to see in less
const BUCKETS = 72;
const WIDTH = 720;
const HEIGHT = 36;
const ORDER = ["valid", "unchecked", "stale", "missing", "invalid"];

/** @param {Api.Bucket} bucket */
const total = (bucket) => Object.values(bucket.verdicts).reduce((sum, count) => sum + count, 0);

function outagesSince(since) {
  return (state.status?.offline ?? [])
    .map((each) => ({
      since: Date.parse(each.since) / 1000,
      until: each.until === null ? null : Date.parse(each.until) / 1000,
    }))
    .filter((each) => (each.until ?? Infinity) > since);
}

export async function drawStrip(changed) {
  let found;
  try {
    found = await call(`timeline?buckets=${BUCKETS}`);
  } catch {
    return;
  }
  const { since, until, buckets } = found;
  const outages = outagesSince(since);
  const strip = byId("strip");
  strip.hidden = until - since < SHORTEST && outages.length === 0;
  if (strip.hidden) return;
  const draw = { ...found, outages, span: (until - since) / buckets.length, changed };
  const focused = strip.contains(document.activeElement) ? document.activeElement : null;
  fill(strip, el("figure", {}, picture(draw), legend(draw)));
  if (focused !== null) nearestBar(Number(focused.getAttribute("data-at")))?.focus();
}

// Bars grow with the time shown, so the one that had the focus may be gone: its time counts.
function nearestBar(at) {
  const bars = [...byId("strip").querySelectorAll("[role=button]")];
  const distance = (bar) => Math.abs(Number(bar.getAttribute("data-at")) - at);
  return bars.toSorted((one, other) => distance(one) - distance(other))[0];
}

function picture(draw) {
  const { since, until, buckets, outages } = draw;
  const x = (at) => ((at - since) / (until - since)) * WIDTH;
  const count = buckets.reduce((sum, each) => sum + total(each), 0);
  const lost = outages.length
    ? `${plural(outages.length, "outage", "outages")} of the tunnel, `
    : "";
  const label = `${lost}${plural(count, "delivery", "deliveries")} in ${spanWords(until - since)}`;
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  const drawn = svg("svg", { ...box, role: "group", "aria-label": label });
  for (const outage of outages) {
    const left = Math.max(0, x(outage.since));
    const width = Math.max(1, x(outage.until ?? Date.now() / 1000) - left);
    drawn.append(svg("rect", { class: "outage", x: left, y: 0, width, height: HEIGHT }));
  }
  buckets.forEach((bucket, number) => drawBucket(drawn, bucket, number, draw));
  drawLatency(drawn, buckets);
  const base = HEIGHT - 3;
  drawn.append(svg("line", { class: "base", x1: 0, x2: WIDTH, y1: base, y2: base }));
  setTabStop(drawn);
  return drawn;
}

function drawBucket(drawn, bucket, number, { buckets, span, outages, changed }) {
  const width = WIDTH / buckets.length;
  const left = number * width;
  const middle = bucket.since + span / 2;
  const [from, to] = ["since", "until"].map((name) => Number(filters().get(name)));
  const isChosen = from > 0 && to > 0 && from <= middle && middle < to;
  const pick = () => {
    const wanted = { since: Math.floor(bucket.since), until: Math.ceil(bucket.since + span) };
    setAddress(isChosen ? { since: null, until: null } : wanted);
    changed();
  };
  const end = bucket.since + span;
  const isOffline = outages.some((each) => each.since < end && (each.until ?? end) > bucket.since);
  const offline = isOffline ? ", tunnel lost" : "";
  const deliveries = plural(total(bucket), "delivery", "deliveries");
  const failed = `${bucket.failed} failed in your app`;
  const words = `${moment(bucket.since * 1000)}: ${deliveries}, ${failed}${offline}`;
  const hit = svg("rect", {
    class: isChosen ? "chosen" : "hit",
    x: left,
    y: 0,
    width,
    height: HEIGHT,
    onclick: pick,
    ...(total(bucket) || isChosen
      ? {
          "data-at": String(middle),
          role: "button",
          "aria-label": words,
          "aria-pressed": String(isChosen),
          onkeydown: (event) => onKey(event, pick),
        }
      : {}),
  });
  hit.append(svg("title"));
  hit.firstChild.textContent = words;
  drawn.append(hit);
  const highest = Math.max(1, ...buckets.map(total));
  let top = HEIGHT - 3;
  for (const verdict of ORDER) {
    const count = bucket.verdicts[verdict] ?? 0;
    if (!count) continue;
    const height = Math.max(1.5, (count / highest) * (HEIGHT - 8));
    top -= height;
    const place = { x: left + 1, y: Math.max(0, top), width: width - 2, height };
    drawn.append(svg("rect", { class: verdict, ...place, "pointer-events": "none" }));
  }
  if (bucket.failed) {
    const place = { cx: left + width / 2, cy: Math.max(3, top - 3), r: 2 };
    drawn.append(svg("circle", { class: "failed", ...place, "pointer-events": "none" }));
  }
}

function onKey(event, pick) {
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    pick();
  } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    const bars = [...event.currentTarget.parentNode.querySelectorAll("[role=button]")];
    const to = bars.indexOf(event.currentTarget) + (event.key === "ArrowLeft" ? -1 : 1);
    event.preventDefault();
    event.stopPropagation();
    bars[to]?.focus();
  }
}

// One tab stop for all bars; the arrow keys move between them.
function setTabStop(drawn) {
  const bars = [...drawn.querySelectorAll("[role=button]")];
  const first = bars.find((bar) => bar.getAttribute("aria-pressed") === "true") ?? bars.at(-1);
  for (const bar of bars) bar.setAttribute("tabindex", bar === first ? "0" : "-1");
}

const slowestOf = (buckets) => Math.max(1, ...buckets.map((bucket) => bucket.mean_ms ?? 0));

function drawLatency(drawn, buckets) {
  const width = WIDTH / buckets.length;
  const slowest = slowestOf(buckets);
  const points = buckets.flatMap((bucket, number) => {
    if (bucket.mean_ms === null) return [];
    const y = HEIGHT - 5 - (bucket.mean_ms / slowest) * (HEIGHT - 10);
    return [`${((number + 0.5) * width).toFixed(1)},${y.toFixed(1)}`];
  });
  if (points.length < 2) return;
  drawn.append(
    svg("polyline", { class: "mean", points: points.join(" "), "pointer-events": "none" }),
  );
}

function legend({ since, until, buckets, outages }) {
  const has = (names) => buckets.some((bucket) => names.some((name) => bucket.verdicts[name]));
  const entries = [
    ["valid", "valid", has(["valid"])],
    ["unchecked", "unchecked", has(["unchecked"])],
    ["stale", "stale", has(["stale"])],
    ["invalid", "rejected", has(["missing", "invalid"])],
    ["failed", "failed in your app", buckets.some((bucket) => bucket.failed)],
  ].filter(([, , isThere]) => isThere);
  const isOneDay = new Date(since * 1000).toDateString() === new Date(until * 1000).toDateString();
  const show = isOneDay ? time : moment;
  const hasLatency = buckets.filter((bucket) => bucket.mean_ms !== null).length > 1;
  return el(
    "figcaption",
    {},
    el("span", {}, show(since * 1000)),
    el(
      "span",
      { class: "legend" },
      entries.map(([kind, words]) => el("span", { class: `key ${kind}` }, words)),
      hasLatency
        ? el(
            "span",
            { class: "key mean" },
            `app latency, peak of averages: ${milliseconds(slowestOf(buckets))}`,
          )
        : null,
      outages.length
        ? el(
            "span",
            { class: "key outage" },
            `${plural(outages.length, "outage", "outages")} of the tunnel`,
          )
        : null,
    ),
    el("span", {}, show(until * 1000)),
  );
}

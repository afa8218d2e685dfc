// Groups of the list: all events of a post on one line, also those that are not loaded.

import { call } from "./api.js";
import { byId, el } from "./dom.js";
import { grouping, setFilters } from "./state.js";
import { eventName, visible } from "./words.js";

const MOST_STEPS = 12;
const text = (value) => (typeof value === "string" && value !== "" ? value : null);
const WAYS = {
  publish_id: {
    name: (delivery) => text(delivery.event?.content?.publish_id),
    filter: "publish_id",
    none: "no post id",
  },
  user: { name: (delivery) => text(delivery.event?.user_openid), filter: "user", none: "no user" },
  redelivery: {
    name: (delivery) => (delivery.redelivery_of ? `#${delivery.redelivery_of}` : null),
    filter: null,
    none: "delivered once",
  },
};

let lives = new Map(); // summaries of each group on the server: words by id, by the group's name
let cut = new Set(); // groups that have more than one page
const waiting = new Map(); // visible groups that have not been requested from the server yet
let asking = false;

export function forgetGroups() {
  lives = new Map();
  cut = new Set();
}

const wordOf = (delivery) => eventName(delivery).split(".").at(-1).replaceAll("_", " ");

// The rows as list items, with a title line above each group. `whole`: all matching rows are
// loaded; `redraw` is called when more of a group has been loaded.
export function grouped(rows, rowOf, { whole, redraw }) {
  const way = WAYS[grouping()];
  const groups = new Map();
  const first = new Set(rows.map((row) => `#${row.delivery.redelivery_of}`));
  for (const row of rows) {
    const own = `#${row.delivery.id}`;
    const name = way.name(row.delivery) ?? own;
    groups.set(name, {
      members: [...(groups.get(name)?.members ?? []), row],
      titled: name !== own || (way.filter === null && first.has(own)),
    });
  }
  watcher.disconnect();
  let above = false;
  return [...groups].flatMap(([name, { members, titled }]) => {
    const items = members.map((row) => rowOf(row, false));
    const belowTitle = above;
    above = titled;
    if (titled) return [lineOf(name, members, way, whole, redraw), ...items];
    // Without a line it would seem to belong to the group above it.
    return belowTitle ? [el("li", { class: "group" }, way.none), ...items] : items;
  });
}

function lineOf(name, members, way, whole, redraw) {
  const life = new Map(lives.get(name));
  for (const { delivery } of members) life.set(delivery.id, wordOf(delivery));
  const steps = [...life].sort(([one], [other]) => one - other).map(([, word]) => word);
  const shown = steps.slice(-MOST_STEPS);
  const isCut = steps.length > shown.length || cut.has(name);
  const hidden = life.size - members.length;
  const line = el(
    "li",
    { class: "group" },
    `${visible(name)}: ${isCut ? "… → " : ""}${visible(shown.join(" → "))}`,
    hidden && way.filter
      ? [
          " ",
          el(
            "button",
            {
              type: "button",
              class: "quiet",
              "aria-label": `Show all of ${visible(name)}`,
              onclick: () => {
                setFilters({ [way.filter]: name });
                document.dispatchEvent(new Event("narrowed"));
              },
            },
            `show ${hidden} more`,
          ),
        ]
      : null,
  );
  if (!whole && !lives.has(name)) {
    wanted.set(line, () => {
      waiting.set(name, { members, way, redraw });
      ask();
    });
    watcher.observe(line);
  }
  return line;
}

// Only groups that are looked at are asked for, one after the other.
const wanted = new WeakMap();
const watcher = new IntersectionObserver(
  (seen) => {
    for (const { isIntersecting, target } of seen) if (isIntersecting) wanted.get(target)();
  },
  { root: byId("left") },
);

async function ask() {
  if (asking) return;
  asking = true;
  for (const [name, { members, way, redraw }] of waiting) {
    waiting.delete(name);
    const mine = lives;
    if (mine.has(name)) continue;
    mine.set(name, new Map());
    try {
      if (way.filter) {
        const page = await call(
          `deliveries?${new URLSearchParams({ [way.filter]: name, limit: "200" })}`,
        );
        mine.set(
          name,
          new Map(page.deliveries.map(({ delivery }) => [delivery.id, wordOf(delivery)])),
        );
        if (page.next !== null && mine === lives) cut.add(name);
      } else {
        const { delivery } = members[0];
        const { redeliveries } = await call(`deliveries/${delivery.id}`);
        mine.set(name, new Map(redeliveries.map((id) => [id, wordOf(delivery)])));
      }
      if (mine === lives) redraw();
    } catch {
      mine.delete(name); // asked again when it is looked at again
    }
  }
  asking = false;
}

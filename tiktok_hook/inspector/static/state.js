// What is shown, and the address that says the same, so that a view can be bookmarked.

export const FILTERS = ["q", "event", "verdict", "status", "failed", "redeliveries", "replays", "since", "until", "user", "publish_id"];

export const state = {
  rows: new Map(), // by id, newest first
  chosen: null,
  picked: new Set(),
  status: null,
  detached: false, // whether newer rows than the first are not shown
};

export function filters() {
  const query = new URLSearchParams(location.search);
  return new URLSearchParams(FILTERS.filter((name) => query.get(name)).map((name) => [name, query.get(name)]));
}

const GROUPS = ["publish_id", "user", "redelivery"];

// An address can hold anything.
export function grouping() {
  const asked = new URLSearchParams(location.search).get("group");
  return GROUPS.includes(asked) ? asked : "";
}

export function setAddress(changes, { push = false } = {}) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "" || value === false) query.delete(name);
    else query.set(name, value === true ? "1" : value);
  }
  const text = query.toString();
  history[push ? "pushState" : "replaceState"](null, "", text ? `/?${text}` : "/");
}

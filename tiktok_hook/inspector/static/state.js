// The state of the page. Filters are stored in the address, so that a view can be bookmarked.

export const FILTERS = [
  "q",
  "filter",
  "event",
  "verdict",
  "status",
  "failed",
  "redeliveries",
  "replays",
  "queued",
  "source",
  "listener",
  "app",
  "since",
  "until",
  "user",
  "publish_id",
];

/**
 * An attempt as the stream sends it.
 * @typedef {Api.Attempt & { will_retry: boolean, next_try_at: string | null }} Ended
 */

/**
 * @type {{
 *   rows: Map<number, Api.Row>, chosen: number | null, picked: Set<number>,
 *   status: Api.Status | null, detached: boolean, lostAt: number | null,
 *   retries: Map<number, Ended>,
 * }}
 */
export const state = {
  rows: new Map(), // by id, newest first
  chosen: null,
  picked: new Set(),
  status: null,
  detached: false, // whether there are newer deliveries than the first row
  retries: new Map(), // the last attempt of each delivery that ended; newer than what is on disk
  lostAt: null, // since when tiktok-hook does not respond; null while it does
};

export function filters() {
  const query = new URLSearchParams(location.search);
  const given = FILTERS.filter((name) => query.get(name)).map((name) => [name, query.get(name)]);
  return new URLSearchParams(given);
}

// The filters as the API takes them: `rejected` stands for `invalid` and `missing`.
export function apiFilters() {
  const query = filters();
  if (query.get("verdict") === "rejected") {
    query.delete("verdict");
    query.append("verdict", "invalid");
    query.append("verdict", "missing");
  }
  return query;
}

// Whether finding what matches reads every body: it takes long, is done in steps, and not counted.
export function readsBodies() {
  const given = filters();
  return given.has("q") || /(?:^|\s)(?:content\.|key:)/.test(given.get("filter") ?? "");
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

// Replaces every filter by the given ones.
export function setFilters(changes = {}) {
  setAddress({ ...Object.fromEntries(FILTERS.map((name) => [name, null])), ...changes });
}

/**
 * @param {string} name
 * @param {unknown} [detail]
 */
export function emit(name, detail) {
  document.dispatchEvent(new CustomEvent(name, { detail }));
}

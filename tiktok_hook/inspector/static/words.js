// How things are said and coloured.

const PRODUCTS = {
  "Content Posting": "p-content", "Login Kit": "p-login", "TikTok Minis": "p-minis",
  "Video Kit": "p-video", "Data Portability": "p-data", "Developer portal": "p-portal",
};
export const productClass = (product) => PRODUCTS[product] ?? "p-unknown";

export const VERDICTS = {
  valid: ["valid", "good"], stale: ["stale", "warn"], invalid: ["invalid", "bad"],
  missing: ["missing", "bad"], unchecked: ["unchecked", "dim"],
};

export const statusClass = (status) => (status === 200 ? "good" : status === null ? "dim" : status >= 200 && status < 400 ? "warn" : "bad");

export function eventName(delivery) {
  const name = delivery.event?.event;
  return typeof name === "string" ? name : "not an event";
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
export const time = (stamp) => clock.format(new Date(stamp));
export const moment = (stamp) => full.format(new Date(stamp));

export function ago(seconds) {
  const past = seconds >= 0;
  const size = Math.abs(seconds);
  const [count, unit] = size < 90 ? [size, "s"] : size < 5400 ? [size / 60, "min"] : size < 129600 ? [size / 3600, "h"] : [size / 86400, "days"];
  const text = `${Math.round(count)} ${unit}`;
  return past ? `${text} ago` : `in ${text}`;
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "";
  return value < 10 ? `${value.toFixed(1)} ms` : value < 10000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

export function size(bytes) {
  return bytes < 1024 ? `${bytes} bytes` : bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1048576).toFixed(1)} MiB`;
}

// What could hide or fake something is shown: control characters and bidirectional overrides.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu;
export const visible = (text) => text.replace(HIDDEN, (each) => `\\u${each.codePointAt(0).toString(16).padStart(4, "0")}`);

// Labels, formats and colours.

const PRODUCTS = {
  "Content Posting": "p-content",
  "Login Kit": "p-login",
  "TikTok Minis": "p-minis",
  "Video Kit": "p-video",
  "Data Portability": "p-data",
  "Developer portal": "p-portal",
};
export const productClass = (product) => PRODUCTS[product] ?? "p-unknown";

export const VERDICTS = {
  valid: ["valid", "good"],
  stale: ["stale", "warn"],
  invalid: ["invalid", "bad"],
  missing: ["unsigned", "bad"],
  unchecked: ["unchecked", "dim"],
};

export function statusClass(status) {
  if (status === 200) return "good";
  if (status === null) return "dim";
  return status >= 200 && status < 400 ? "warn" : "bad";
}

// An attempt with a deliberately wrong signature is right when the app rejects it.
export function attemptClass(attempt) {
  if (attempt.duration_ms === null && attempt.error === null) return "dim";
  if (!attempt.expects_rejection) return statusClass(attempt.status ?? 0);
  return attempt.status >= 400 && attempt.status < 500 ? "good" : "bad";
}

// The event's name, or of other requests what they asked for.
export function eventName(delivery) {
  const name = delivery.event?.event;
  if (typeof name === "string") return name;
  return `${delivery.method} ${delivery.path}`;
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const full = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
export const time = (stamp) => clock.format(new Date(stamp));
export const moment = (stamp) => full.format(new Date(stamp));

export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129600
    ? `${Math.round(seconds / 3600)} h`
    : `${Math.round(seconds / 86400)} days`;
}

export const ago = (seconds) => (seconds >= 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`);

export function milliseconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 10) return `${value.toFixed(1)} ms`;
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

export function size(bytes) {
  if (bytes < 1024) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  return bytes < 1048576
    ? `${(bytes / 1024).toFixed(1)} KiB`
    : `${(bytes / 1048576).toFixed(1)} MiB`;
}

export const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;

// The characters that `tiktok_hook.sanitize` escapes, but for tabs and line feeds; a test holds the
// two lists to each other.
const EMOJI = "\\u2190-\\u21ff\\u2600-\\u27bf\\u2b00-\\u2bff\\u{1f000}-\\u{1faff}";
const UNSAFE = new RegExp(
  `(?!(?<=[${EMOJI}\\ufe0f])\\u200d[${EMOJI}])` +
    "[\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5" +
    "\\u180b-\\u180f" +
    "\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ud800-\\udfff\\ufeff\\uffa0" +
    "\\ufff9-\\ufffb\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]",
  "gu",
);

function escaped(character) {
  const code = character.codePointAt(0);
  const digits = code.toString(16);
  if (code <= 0xff) return `\\x${digits.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
}

// The text with everything that could deceive a reader written as an escape.
export const visible = (text) => text.replace(UNSAFE, escaped);

// A header's value: one character for each byte, shown as UTF-8 where it is UTF-8.
export function headerText(value) {
  if (!/[\x80-\xff]/.test(value) || /[^\0-\xff]/.test(value)) return value;
  try {
    const bytes = Uint8Array.from(value, (each) => each.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return value;
  }
}

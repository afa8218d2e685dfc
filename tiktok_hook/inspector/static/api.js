// Calls to the API. JSON.parse rounds large numbers, and `event` may contain some. Its values are
// therefore never shown; the page parses the text of the body instead (see exact.js).

import { emit } from "./state.js";
import { authorization, storedToken } from "./token.js";

export class ApiError extends Error {
  constructor(message, hint, status) {
    super(message);
    this.hint = hint;
    this.status = status;
  }
}

async function answered(path, options) {
  let answer;
  const token = storedToken();
  try {
    const headers = { ...authorization(), ...options.headers };
    answer = await fetch(`/api/v1/${path}`, { ...options, headers });
  } catch {
    document.dispatchEvent(new Event("unreachable"));
    throw new ApiError("tiktok-hook does not respond.", "Start it again; the page reconnects.", 0);
  }
  if (answer.ok) return answer;
  const value = await answer.json().catch(() => ({}));
  if (answer.status === 401) emit("rejected", token);
  throw new ApiError(
    value.error ?? `It answered ${answer.status}.`,
    value.hint ?? "",
    answer.status,
  );
}

/**
 * The JSON at a path.
 * @param {string} path - below /api/v1
 * @param {{ method?: string, body?: object }} [options]
 * @returns {Promise<any>}
 */
export async function call(path, { method = "GET", body } = {}) {
  const answer = await answered(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return answer.json().catch(() => ({}));
}

export const text = async (path) => (await answered(path, {})).text();

// A download: its bytes and its file name.
export async function file(path) {
  const answer = await answered(path, {});
  const [, name] = answer.headers.get("Content-Disposition").match(/filename="([^"]+)"/);
  return { name, blob: await answer.blob() };
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));

/**
 * A delivery's or attempt's body: its text, or null and its bytes.
 * @param {{ body?: string, body_base64?: string, body_decoded?: string }} record
 * @returns {{ text: string | null, bytes: Uint8Array }}
 */
export function bodyOf(record) {
  if (record.body !== undefined) {
    return { text: record.body, bytes: new TextEncoder().encode(record.body) };
  }
  // A compressed answer: its bytes as sent, and the text that they hold.
  return { text: record.body_decoded ?? null, bytes: bytesOf(record.body_base64 ?? "") };
}

export const header = (record, name) =>
  record.headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];

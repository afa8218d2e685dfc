// Calls to the API. Our own JSON holds small numbers only, but for those inside `event`, whose values are
// therefore never shown: what a body means is read from its own text (see exact.js).

import { authorization } from "./token.js";

export class ApiError extends Error {
  constructor(message, hint, status) { super(message); this.hint = hint; this.status = status; }
}

async function answered(path, options) {
  let answer;
  try {
    const headers = { ...authorization(), ...options.headers };
    answer = await fetch(`/api/v1/${path}`, { ...options, headers });
  } catch {
    throw new ApiError("tiktok-hook does not answer.", "Has the session ended?", 0);
  }
  if (answer.ok) return answer;
  const value = await answer.json().catch(() => ({}));
  if (answer.status === 401) document.dispatchEvent(new Event("rejected"));
  throw new ApiError(value.error ?? `It answered ${answer.status}.`, value.hint ?? "", answer.status);
}

export async function call(path, { method = "GET", body } = {}) {
  const answer = await answered(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return answer.json().catch(() => ({}));
}

export const text = async (path) => (await answered(path, {})).text();

// A download: its bytes and the name that it shall have.
export async function file(path) {
  const answer = await answered(path, {});
  const [, name] = answer.headers.get("Content-Disposition").match(/filename="([^"]+)"/);
  return { name, blob: await answer.blob() };
}

const bytesOf = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));

// A delivery's or attempt's body: its text, or null and its bytes.
export function bodyOf(record) {
  if (record.body !== undefined) return { text: record.body, bytes: new TextEncoder().encode(record.body) };
  return { text: null, bytes: bytesOf(record.body_base64 ?? "") };
}

export const header = (record, name) =>
  record.headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];

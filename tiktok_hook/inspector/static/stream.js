// Live events, read with fetch because EventSource cannot send an Authorization header. Browsers
// allow six connections per host, so only one tab reads the stream and broadcasts it to the others.

import { authorization, storedToken } from "./token.js";

const RETRY_MS = 1000;
const channel = new BroadcastChannel("tiktok-hook");

export function follow(handlers) {
  const handle = ({ name, data }) => handlers[name]?.(data);
  channel.onmessage = (event) => handle(event.data);
  const tell = (name, data) => {
    handle({ name, data });
    channel.postMessage({ name, data });
  };
  const hold = () => readForEver(tell, (name, data) => handle({ name, data }));
  if (navigator.locks) navigator.locks.request("tiktok-hook-stream", hold);
  else hold();
}

// Reads until this tab is rejected: its token was replaced, and another tab may have the new one.
async function readForEver(tell, tellHere) {
  let lastId = null;
  for (;;) {
    const token = storedToken();
    try {
      const resume = lastId === null ? {} : { "Last-Event-ID": lastId };
      const response = await fetch("/api/v1/stream", {
        headers: { ...authorization(), ...resume },
        cache: "no-store",
      });
      if (response.status === 401) {
        tellHere("rejected", token);
        return;
      }
      if (response.ok) {
        tell("open", {});
        lastId = await readEvents(response.body, tell, lastId);
      }
    } catch {
      // The connection broke; it is tried again below.
    }
    tell("lost", {});
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

// Returns the last id when the stream ends. Events are separated by an empty line.
async function readEvents(body, tell, lastId) {
  let last = lastId;
  let rest = "";
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { value, done } = await reader.read().catch(() => ({ done: true }));
    if (done) return last;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const { id, event, data } = fieldsOf(block);
      if (id !== undefined) last = id;
      if (event !== undefined) tell(event, JSON.parse(data));
    }
  }
}

function fieldsOf(block) {
  const fields = {};
  for (const line of block.split("\n")) {
    const at = line.indexOf(": ");
    if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
  }
  return fields;
}

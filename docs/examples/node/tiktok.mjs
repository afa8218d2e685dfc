import { createHash, createHmac, timingSafeEqual } from "node:crypto";

const TOLERANCE_SECONDS = 300;

// Why a request is rejected, or null if TikTok signed exactly these bytes in the last 5 minutes.
export function problem(header, body, secret, now = Date.now() / 1000) {
  const values = (name) =>
    (header ?? "").split(",").map((part) => part.trim())
      .filter((part) => part.startsWith(`${name}=`)).map((part) => part.slice(2));
  const [times, signatures] = [values("t"), values("s")];
  if (times.length !== 1 || !/^[0-9]{1,12}$/.test(times[0])) return "no timestamp";
  const expected = createHmac("sha256", secret).update(`${times[0]}.`).update(body).digest();
  const matches = signatures.slice(0, 5).some((signature) =>
    /^[0-9a-f]{64}$/i.test(signature) && timingSafeEqual(Buffer.from(signature, "hex"), expected));
  if (!matches) return "the signature does not match";
  if (Math.abs(now - Number(times[0])) > TOLERANCE_SECONDS) return "the signature is too old";
  return null;
}

// The same key for every repetition of an event: TikTok sends no event id.
export function eventKey(body) {
  const hash = (data) => createHash("sha256").update(data).digest("hex");
  let event;
  try {
    event = JSON.parse(body);
  } catch {
    // not JSON
  }
  if (typeof event?.content !== "string") return hash(body);
  // The spacing of content may differ. JSON.parse(content) would round ids of 19 digits, so that
  // two events could get one key: blanks outside of strings are removed from its text instead.
  const content = event.content.replace(/("[^"\\]*(?:\\.[^"\\]*)*")|\s+/g, "$1");
  const { client_key, event: name, create_time, user_openid } = event;
  return hash(JSON.stringify([client_key, name, create_time, user_openid, content]));
}

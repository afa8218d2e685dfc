import { store } from "./inbox.mjs";
import { eventKey, problem } from "./tiktok.mjs";

export async function POST(request) {
  const secret = process.env.TIKTOK_CLIENT_SECRET;
  if (!secret) throw new Error("TIKTOK_CLIENT_SECRET is not set."); // nothing is accepted without it
  const body = Buffer.from(await request.arrayBuffer()); // the raw bytes: not request.json()
  const reason = problem(request.headers.get("Tiktok-Signature"), body, secret);
  if (reason) return new Response(reason, { status: 403 });
  await store(eventKey(body), body); // a worker reads it: the answer must not wait for the work
  return new Response(null, { status: 200 }); // a repetition is answered 200, too
}

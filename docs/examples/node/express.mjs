import express from "express";
import { store } from "./inbox.mjs";
import { eventKey, problem } from "./tiktok.mjs";

const SECRET = process.env.TIKTOK_CLIENT_SECRET;
if (!SECRET) throw new Error("TIKTOK_CLIENT_SECRET is not set.");
const app = express();

// The raw bytes: this route comes before app.use(express.json()), which would parse them.
const raw = express.raw({ type: () => true, limit: "1mb" });

app.post("/webhook", raw, async (request, response) => {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const reason = problem(request.get("Tiktok-Signature"), body, SECRET);
  if (reason) return response.status(403).send(reason);
  await store(eventKey(body), body); // a worker reads it: the answer must not wait for the work
  response.status(200).end(); // a repetition is answered 200, too
});

app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1");

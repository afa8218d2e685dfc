import { randomUUID } from "node:crypto";
import { link, mkdir, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

const FOLDER = process.env.TIKTOK_INBOX ?? "inbox";

// Keep an event on disk for a worker; false if it is there already. With a database, this is
// INSERT … ON CONFLICT DO NOTHING into a table whose primary key is the event's key.
export async function store(key, body) {
  await mkdir(FOLDER, { recursive: true });
  const written = join(FOLDER, `${randomUUID()}.part`);
  await writeFile(written, body, { flush: true });
  try {
    await link(written, join(FOLDER, `${key}.json`)); // whole or not at all, and never twice
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error; // answered 500, so TikTok sends it again
  } finally {
    await unlink(written);
  }
}

// Serves a route handler of Next.js, which is a function of the web's Request, with Node alone.
import { createServer } from "node:http";
import * as route from "./route.js";

createServer(async (incoming, outgoing) => {
  try {
    const handler = route[incoming.method];
    const body = [];
    for await (const chunk of incoming) body.push(chunk);
    const request = new Request(`http://localhost${incoming.url}`, {
      method: incoming.method,
      headers: incoming.headers,
      body: ["GET", "HEAD"].includes(incoming.method) ? undefined : Buffer.concat(body),
    });
    const response = handler ? await handler(request) : new Response(null, { status: 405 });
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(Buffer.from(await response.arrayBuffer()));
  } catch (error) {
    console.error(error);
    outgoing.writeHead(500).end();
  }
}).listen(Number(process.env.PORT), "127.0.0.1");

// Records a page that posts, with chrome-har-capturer: node chrome.js URL PORT OUT.har
const fs = require("node:fs");
const CHC = require("chrome-har-capturer");

const [url, port, out] = process.argv.slice(2);
// What is sent and not yet received to its end; the recording needs the end of each.
const open = new Set();
async function follow(_, client) {
  client.Network.requestWillBeSent(({ requestId }) => open.add(requestId));
  client.Network.loadingFinished(({ requestId }) => open.delete(requestId));
  client.Network.loadingFailed(({ requestId }) => open.delete(requestId));
}
// The page posts after it has loaded, and names the end in its title.
async function posted(_, client) {
  const asked = { expression: "document.title" };
  while (open.size || (await client.Runtime.evaluate(asked)).result.value !== "posted") {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

CHC.run([url], { port: Number(port), content: true, preHook: follow, postHook: posted })
  .on("fail", (_, error) => {
    console.error(error);
    process.exitCode = 1;
  })
  .on("har", (har) => fs.writeFileSync(out, JSON.stringify(har)));

// Records a page that posts, with chrome-har-capturer: node chrome.js URL PORT OUT.har
const fs = require("node:fs");
const CHC = require("chrome-har-capturer");

const [url, port, out] = process.argv.slice(2);
// The page posts after it has loaded, and names the end in its title.
async function posted(_, client) {
  const asked = { expression: "document.title" };
  while ((await client.Runtime.evaluate(asked)).result.value !== "posted") {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

CHC.run([url], { port: Number(port), content: true, postHook: posted })
  .on("fail", (_, error) => {
    console.error(error);
    process.exitCode = 1;
  })
  .on("har", (har) => fs.writeFileSync(out, JSON.stringify(har)));

// Posts each payload with axios under axios-har-tracker: node axios.js URL PAYLOADS.json OUT.har
const fs = require("node:fs");
const axios = require("axios").default;
const { AxiosHarTracker } = require("axios-har-tracker");

async function main([url, payloads, out]) {
  const tracker = new AxiosHarTracker(axios);
  for (const [path, headers, base64] of JSON.parse(fs.readFileSync(payloads, "utf8"))) {
    await axios.post(url + path, Buffer.from(base64, "base64"), { headers });
  }
  fs.writeFileSync(out, JSON.stringify(tracker.getGeneratedHar()));
}

main(process.argv.slice(2));

// What Node.js makes of a body that was parsed, printed or quoted before it was signed.
import { readFileSync } from "node:fs";
import querystring from "node:querystring";
import { inspect } from "node:util";

const bytes = readFileSync(0);
const text = bytes.toString();
const object = JSON.parse(text);
const content = { ...object, content: JSON.parse(object.content) };
const made = {
  inspect: inspect(object),
  "a Uint8Array": `${new Uint8Array(bytes)}`,
  "a Buffer": JSON.stringify(bytes),
  "an ArrayBuffer": `${bytes.buffer}`,
  "a promise": `${Promise.resolve(text)}`,
  "two blanks": JSON.stringify(object, null, 2),
  "a tab": JSON.stringify(object, null, "\t"),
  "sorted": JSON.stringify(object, Object.keys(object).sort()),
  "quoted twice": JSON.stringify(text),
  encodeURIComponent: encodeURIComponent(text),
  encodeURI: encodeURI(text),
  querystring: querystring.stringify(object),
  URLSearchParams: new URLSearchParams(object).toString(),
  "values": Object.values(object).join(""),
  "entries": `${Object.entries(object)}`,
  "content as an object": JSON.stringify(content, null, 2),
  "lower case": text.toLowerCase(),
};
console.log(JSON.stringify(made));

// A JSON parser that keeps numbers as their original text. JSON.parse would round a 19-digit post
// id.

export class ExactNumber {
  constructor(text) {
    this.text = text;
  }
}

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const DEEPEST = 200;
/** @type {[string, any][]} */
const WORDS = [
  ["true", true],
  ["false", false],
  ["null", null],
];

export class JsonError extends Error {
  constructor(words, at) {
    super(words);
    this.at = at;
  }
}

// An object is a Map, so that keys like __proto__ are only keys.
export function parse(text) {
  let at = 0;
  const take = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found ? found[0] : null;
  };
  /** @returns {never} */
  const fail = (words) => {
    throw new JsonError(words, at);
  };
  const value = (depth) => {
    if (depth > DEEPEST) fail("nested too deep");
    take(SPACE);
    const next = text[at];
    if (next === "{") return object(depth);
    if (next === "[") return list(depth);
    if (next === '"') {
      const found = take(STRING);
      return found === null
        ? fail("this string is unterminated or contains an invalid character")
        : JSON.parse(found);
    }
    for (const [word, meaning] of WORDS) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    const number = /** @type {string | null} */ (take(NUMBER));
    return number === null || number === ""
      ? fail("a value was expected here")
      : new ExactNumber(number);
  };
  const object = (depth) => {
    const found = new Map();
    at += 1;
    take(SPACE);
    if (text[at] === "}") {
      at += 1;
      return found;
    }
    for (;;) {
      take(SPACE);
      const key = take(STRING);
      if (key === null) fail("a key in quotes was expected here");
      take(SPACE);
      if (text[at] !== ":") fail("a colon was expected here");
      at += 1;
      found.set(JSON.parse(key), value(depth + 1));
      take(SPACE);
      if (text[at] === ",") {
        at += 1;
        continue;
      }
      if (text[at] === "}") {
        at += 1;
        return found;
      }
      fail("a comma or } was expected here");
    }
  };
  const list = (depth) => {
    const found = [];
    at += 1;
    take(SPACE);
    if (text[at] === "]") {
      at += 1;
      return found;
    }
    for (;;) {
      found.push(value(depth + 1));
      take(SPACE);
      if (text[at] === ",") {
        at += 1;
        continue;
      }
      if (text[at] === "]") {
        at += 1;
        return found;
      }
      fail("a comma or ] was expected here");
    }
  };
  const whole = value(0);
  take(SPACE);
  if (at < text.length) fail("nothing more was expected here");
  return whole;
}

// Written as TikTok writes it: compact. With an indent it is for people.
export function write(value, indent = "", inner = "") {
  const deeper = inner + indent;
  const gap = indent ? "\n" + deeper : "";
  const end = indent ? "\n" + inner : "";
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) {
    if (!value.length) return "[]";
    return "[" + value.map((each) => gap + write(each, indent, deeper)).join(",") + end + "]";
  }
  if (value instanceof Map) {
    if (!value.size) return "{}";
    const colon = indent ? ": " : ":";
    return (
      "{" +
      [...value]
        .map(([key, each]) => gap + JSON.stringify(key) + colon + write(each, indent, deeper))
        .join(",") +
      end +
      "}"
    );
  }
  return JSON.stringify(value);
}

export function tryParse(text) {
  try {
    return { value: parse(text) };
  } catch (error) {
    if (error instanceof JsonError) return { error };
    throw error;
  }
}

// TikTok's content decoded in its place.
export function unfolded(value) {
  if (!(value instanceof Map) || typeof value.get("content") !== "string") return value;
  const inner = tryParse(value.get("content")).value;
  const isTree = inner instanceof Map || Array.isArray(inner);
  return isTree ? new Map([...value, ["content", inner]]) : value;
}

// JSON with an indent and its content decoded; any other text as it is.
export function pretty(text) {
  const { value } = tryParse(text);
  return value === undefined ? text : write(unfolded(value), "  ");
}

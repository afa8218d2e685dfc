// A line diff by the longest common subsequence.

import { el } from "./dom.js";
import { visible } from "./words.js";

const MOST_LINES = 1500;

// Elements of the lines that were removed, added and kept.
export function diff(before, after) {
  const one = before.split("\n").slice(0, MOST_LINES);
  const other = after.split("\n").slice(0, MOST_LINES);
  const table = Array.from({ length: one.length + 1 }, () => new Uint16Array(other.length + 1));
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = other.length - 1; j >= 0; j -= 1) {
      table[i][j] =
        one[i] === other[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  const lines = [];
  let i = 0;
  let j = 0;
  while (i < one.length || j < other.length) {
    const both = i < one.length && j < other.length;
    if (both && one[i] === other[j]) {
      lines.push(el("span", {}, visible(one[i])));
      i += 1;
      j += 1;
    } else if (i < one.length && (!both || table[i + 1][j] >= table[i][j + 1])) {
      lines.push(el("del", {}, visible(one[i])));
      i += 1;
    } else {
      lines.push(el("ins", {}, visible(other[j])));
      j += 1;
    }
  }
  return lines;
}

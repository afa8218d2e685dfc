// Builds elements without markup: payloads are always inserted as text.

/**
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {...any} children - nodes and texts; lists are flattened, nulls omitted
 * @returns {any}
 */
export function el(name, attributes = {}, ...children) {
  /** @type {any} */
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...there(children));
  return element;
}

const there = (children) =>
  children.flat(4).filter((child) => child !== null && child !== undefined);

// Replaces the children of an element; lists are flattened, nulls omitted. The keyboard focus and
// half-typed text move to the element that replaces the focused one.
export function fill(element, ...children) {
  const back = whereabouts(element);
  element.replaceChildren(...there(children));
  back();
}

const STOPS = "button, input, select, textarea, a[href], summary, [tabindex]";
const TYPED = "input[type=search]";

/** @returns {any[]} */
const stopsIn = (element) => [...element.querySelectorAll(STOPS)];
const label = (stop) => `${stop.tagName} ${stop.ariaLabel ?? stop.textContent}`;

function whereabouts(root) {
  const active = /** @type {HTMLInputElement} */ (document.activeElement);
  if (active === root || !root.contains(active)) return () => {};
  const anchor = active.closest("[id]");
  const stops = stopsIn(anchor);
  const place = stops.indexOf(active);
  const after = stops.slice(place).filter((each) => label(each) === label(active)).length;
  return () => {
    const found = byId(anchor.id);
    const now = found === null ? [] : stopsIn(found);
    // What is new is above: an attempt brings stops of its own.
    const alike = now.filter((each) => label(each) === label(active)).at(-after);
    /** @type {HTMLInputElement | null | undefined} */
    const next = place < 0 ? found : (alike ?? now[place]);
    next?.focus({ preventScroll: true });
    if (!next?.matches(TYPED) || !active.matches(TYPED)) return;
    next.value = active.value;
    next.setSelectionRange(active.selectionStart, active.selectionEnd);
  };
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {...Node} children
 * @returns {any}
 */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/**
 * @param {string} id
 * @returns {any}
 */
export const byId = (id) => document.getElementById(id);

// An open dialog hides the rest of the page, also from screen readers, so the live region moves
// into the dialog.
const announcement = byId("announcement");
byId("dialog").addEventListener("close", () => document.body.append(announcement));
let quiet;
export function say(words) {
  const dialog = byId("dialog");
  if (dialog.open && !dialog.contains(announcement)) dialog.append(announcement);
  announcement.textContent = words;
  clearTimeout(quiet);
  quiet = setTimeout(() => {
    announcement.textContent = "";
  }, 4000);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied.`);
  } catch {
    say(`The browser does not allow copying the ${what.toLowerCase()}.`);
  }
}

// Replay: at once, or edited, with a diff against the original.

import { ApiError, bodyOf, call } from "./api.js";
import { closeButton, closeDialog, field, openDialog, submitOnCtrlEnter } from "./dialog.js";
import { diff } from "./diff.js";
import { el, fill, say } from "./dom.js";
import { pretty, tryParse, write } from "./exact.js";
import { emit, state } from "./state.js";

const METHODS = ["POST", "PUT", "PATCH", "DELETE", "GET"];
export const SIGNINGS = [
  ["fresh", "valid, signed now"],
  ["as-is", "original signature"],
  ["age", "valid, but old"],
  ["bad", "wrong signature"],
  ["none", "no signature"],
];

export const messageOf = (error) =>
  error instanceof ApiError && error.hint ? `${error.message} ${error.hint}` : error.message;
export const report = (error) => say(messageOf(error));

function done(delivery, attempt) {
  say(`Replayed #${delivery.id}: ${attempt.status ?? attempt.error}`);
  emit("attempted", attempt);
}

export async function replayNow(delivery) {
  try {
    const { attempt } = await call(`deliveries/${delivery.id}/replay`, {
      method: "POST",
      body: {},
    });
    done(delivery, attempt);
    return attempt;
  } catch (error) {
    report(error);
    return null;
  }
}

export async function replayPicked() {
  const ids = [...state.picked].sort((one, other) => one - other);
  let good = 0;
  for (const id of ids) {
    const attempt = await replayNow({ id });
    if (attempt === null) return;
    if (attempt.status === 200) good += 1;
  }
  say(`Replayed ${ids.length} in order: ${good} answered 200.`);
}

// The select for the signature, and the age that belongs to one of its choices.
export function signingControls(prefix, choices, value, isAllowed) {
  const signing = el(
    "select",
    { id: `${prefix}-signing` },
    choices.map(([each, words]) =>
      el("option", { value: each, selected: each === value, disabled: !isAllowed(each) }, words),
    ),
  );
  const age = el("input", { id: `${prefix}-age`, type: "number", value: "600", min: "0" });
  const aged = field("Age in seconds", age);
  const showAge = () => {
    aged.hidden = signing.value !== "age";
  };
  signing.addEventListener("change", showAge);
  showAge();
  const fields = el("div", { class: "line" }, field("Signature", signing), aged);
  return { fields, given: () => ({ signing: signing.value, age_seconds: Number(age.value) || 0 }) };
}

// Text areas for a body: envelope and content apart where it is TikTok's, one for anything else.
// What is edited as an object is sent as TikTok writes it: compact, content as a string.
export function bodyEditor(prefix, text) {
  const parsed = text === null ? {} : tryParse(text);
  const isEnvelope = parsed.value instanceof Map && typeof parsed.value.get("content") === "string";
  const content = isEnvelope ? tryParse(parsed.value.get("content")).value : undefined;
  const hasContent = content instanceof Map || Array.isArray(content);
  const area = (id, rows) => el("textarea", { id: `${prefix}-${id}`, rows, spellcheck: "false" });
  const envelope = area("body", hasContent ? "8" : "10");
  const inner = area("content", "8");
  envelope.disabled = text === null;
  if (text === null) envelope.value = "(binary: sent as it is)";
  else if (hasContent) {
    const rest = [...parsed.value].filter(([key]) => key !== "content");
    envelope.value = write(new Map(rest), "  ");
    inner.value = write(content, "  ");
  } else envelope.value = text;

  const read = (what, value) => {
    const found = tryParse(value);
    if (found.error) {
      const at = `line ${value.slice(0, found.error.at).split("\n").length}`;
      throw new Error(`The ${what} is not valid JSON: ${found.error.message} (${at}).`);
    }
    return found.value;
  };
  // The new body; null when it is unchanged. Throws while it is not valid JSON.
  const edited = () => {
    if (text === null) return null;
    if (!hasContent) {
      if (parsed.value !== undefined) read("body", envelope.value);
      return envelope.value === text ? null : envelope.value;
    }
    const outer = read("envelope", envelope.value);
    const deeper = read("content", inner.value);
    if (!(outer instanceof Map)) throw new Error("The envelope must be an object.");
    const isUntouched = write(deeper) === write(content);
    const order = [...parsed.value.keys()];
    const written = isUntouched ? parsed.value.get("content") : write(deeper);
    const place = (/** @type {any[]} */ [key]) => order.indexOf(key) + 1 || 99;
    /** @type {[string, any][]} */
    const all = [...outer, ["content", written]];
    const entries = all.sort((one, other) => place(one) - place(other));
    const result = write(new Map(entries));
    return result === write(parsed.value) ? null : result;
  };
  const fields = hasContent
    ? el(
        "div",
        { class: "columns" },
        field("content (sent as a JSON string)", inner),
        field("Envelope", envelope),
      )
    : field("Body", envelope);
  return { fields, edited, first: hasContent ? inner : envelope };
}

export function openReplay(whole) {
  const { delivery } = whole;
  const body = bodyOf(delivery);
  const path = delivery.path + (delivery.query ? `?${delivery.query}` : "");
  const target = el("input", {
    id: "replay-target",
    value: state.status?.target ?? "",
    placeholder: whole.recorded_target ?? "http://localhost:3000",
  });
  const methods = METHODS.includes(delivery.method) ? METHODS : [delivery.method, ...METHODS];
  const method = el(
    "select",
    { id: "replay-method" },
    methods.map((each) => el("option", { selected: each === delivery.method }, each)),
  );
  const where = el("input", { id: "replay-path", value: path });
  const headers = el("textarea", {
    id: "replay-headers",
    rows: "2",
    spellcheck: "false",
    placeholder: "NAME: VALUE, one per line; each replaces the header of its name",
  });
  const editor = bodyEditor("replay", body.text);
  const canSign = state.status?.can_sign;
  const signing = signingControls(
    "replay",
    SIGNINGS,
    canSign ? "fresh" : "as-is",
    (each) => canSign || each === "as-is" || each === "none",
  );
  const trouble = el("p", { class: "bad", role: "alert" });
  const changes = el("div", { class: "diff", "aria-label": "Changes" });
  const send = el("button", { class: "main", id: "replay-send" }, "Send");

  const given = () =>
    headers.value
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
  const look = () => {
    trouble.textContent = "";
    send.disabled = state.lostAt !== null;
    try {
      fill(changes, ...changesOf(delivery, path, method.value, where.value, given(), body, editor));
    } catch (error) {
      trouble.textContent = error.message;
      fill(changes);
      send.disabled = true;
    }
    return !send.disabled;
  };
  const submit = async (event) => {
    event.preventDefault();
    if (!look()) return;
    const asked = {
      target: target.value || null,
      method: method.value === delivery.method ? null : method.value,
      path: where.value === path ? null : where.value,
      headers: given(),
      ...signing.given(),
      body: editor.edited(),
    };
    try {
      const found = await call(`deliveries/${delivery.id}/replay`, { method: "POST", body: asked });
      closeDialog();
      done(delivery, found.attempt);
    } catch (error) {
      trouble.textContent = messageOf(error);
    }
  };
  openDialog(
    `Edit and replay #${delivery.id}`,
    el(
      "form",
      { onsubmit: submit, oninput: look, onkeydown: submitOnCtrlEnter },
      editor.fields,
      signing.fields,
      el("div", { class: "line" }, field("Target", target)),
      el("div", { class: "line" }, field("Method", method), field("Path and query", where)),
      field("Headers to set", headers),
      el("h2", { class: "dim" }, "Changes"),
      changes,
      trouble,
      el("div", { class: "buttons" }, closeButton("Cancel"), send),
    ),
  );
  look();
  editor.first.focus();
  editor.first.setSelectionRange(0, 0);
  editor.first.scrollTop = 0;
}

function changesOf(delivery, path, method, where, given, body, editor) {
  const text = editor.edited();
  const names = new Set(given.map((line) => line.split(":")[0].trim().toLowerCase()));
  const replaced = delivery.headers
    .filter(([name]) => names.has(name.toLowerCase()))
    .map(([name, value]) => `${name}: ${value}`);
  const one = [`${delivery.method} ${path}`, ...replaced];
  const other = [`${method} ${where}`, ...given];
  const unchanged = el("span", {}, "The body is unchanged.");
  return [
    ...diff(one.join("\n"), other.join("\n")),
    ...(text === null ? [unchanged] : diff(pretty(body.text), pretty(text))),
  ];
}

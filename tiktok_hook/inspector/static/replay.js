// Replay: at once, or edited, with a diff against the original.

import { ApiError, bodyOf, call } from "./api.js";
import { diff } from "./compare.js";
import { byId, el, fill, say } from "./dom.js";
import { tryParse, write } from "./exact.js";
import { state } from "./state.js";

const SIGNINGS = [["fresh", "signed afresh, now"], ["as-is", "as it was"], ["age", "right, but old"], ["bad", "wrong signature"], ["none", "no signature"]];

export const told = (error) => say(error instanceof ApiError && error.hint ? `${error.message} ${error.hint}` : error.message);

export async function replayNow(delivery) {
  try {
    const { attempt } = await call(`deliveries/${delivery.id}/replay`, { method: "POST", body: {} });
    say(`Replayed #${delivery.id}: ${attempt.status ?? attempt.error}`);
    document.dispatchEvent(new CustomEvent("attempted", { detail: attempt }));
    return attempt;
  } catch (error) {
    told(error);
    return null;
  }
}

export async function replayPicked() {
  const ids = [...state.picked].sort((one, other) => one - other);
  let good = 0;
  for (const id of ids) {
    const attempt = await replayNow({ id });
    if (attempt === null) return;
    good += attempt.status === 200;
  }
  say(`Replayed ${ids.length} in order: ${good} answered 200.`);
}

const field = (words, control) => el("label", { class: "field" }, el("span", {}, words), control);

export function openReplay(whole) {
  const { delivery } = whole;
  const body = bodyOf(delivery);
  const parsed = body.text === null ? {} : tryParse(body.text);
  const content = parsed.value instanceof Map && typeof parsed.value.get("content") === "string" ? tryParse(parsed.value.get("content")).value : undefined;
  const hasContent = content instanceof Map || Array.isArray(content);
  const path = delivery.path + (delivery.query ? `?${delivery.query}` : "");

  const target = el("input", { id: "replay-target", value: state.status?.target ?? "", placeholder: whole.recorded_target ?? "http://localhost:3000" });
  const method = el("input", { id: "replay-method", value: delivery.method, size: "6" });
  const where = el("input", { id: "replay-path", value: path });
  const heads = el("textarea", { id: "replay-headers", rows: "4", spellcheck: "false", placeholder: "NAME: VALUE, one a line; each replaces the header of its name" });
  const envelope = el("textarea", { id: "replay-body", rows: hasContent ? "8" : "10", spellcheck: "false", disabled: body.text === null });
  const inner = el("textarea", { id: "replay-content", rows: "8", spellcheck: "false" });
  envelope.value = body.text === null ? "(binary: sent as it is)" : hasContent ? write(new Map([...parsed.value].filter(([key]) => key !== "content")), "  ") : body.text;
  if (hasContent) inner.value = write(content, "  ");
  const canSign = state.status?.can_sign;
  const signing = el("select", { id: "replay-signing" }, SIGNINGS.map(([value, words]) =>
    el("option", { value, selected: value === (canSign ? "fresh" : "as-is"), disabled: !canSign && value !== "as-is" && value !== "none" }, words)));
  const age = el("input", { id: "replay-age", type: "number", value: "600", min: "0" });
  const aged = field("Age in seconds", age);
  const showAge = () => { aged.hidden = signing.value !== "age"; };
  signing.addEventListener("change", showAge);
  showAge();
  const trouble = el("p", { class: "bad", role: "alert" });
  const changes = el("div", { class: "diff", "aria-label": "Changes" });

  // What is edited as an object goes out as TikTok writes it: compact, content as a string.
  const edited = () => {
    if (body.text === null) return null;
    if (!hasContent) return envelope.value === body.text ? null : envelope.value;
    const outer = tryParse(envelope.value);
    const deeper = tryParse(inner.value);
    if (outer.error) throw new Error(`The envelope is not JSON: ${outer.error.message} (character ${outer.error.at + 1}).`);
    if (deeper.error) throw new Error(`The content is not JSON: ${deeper.error.message} (character ${deeper.error.at + 1}).`);
    if (!(outer.value instanceof Map)) throw new Error("The envelope has to be an object.");
    const untouched = write(deeper.value) === write(content);
    const order = [...parsed.value.keys()];
    const entries = [...outer.value, ["content", untouched ? parsed.value.get("content") : write(deeper.value)]];
    entries.sort(([one], [other]) => (order.indexOf(one) + 1 || 99) - (order.indexOf(other) + 1 || 99));
    const text = write(new Map(entries));
    return text === write(parsed.value) ? null : text;
  };
  const given = () => heads.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const look = () => {
    trouble.textContent = "";
    try {
      const text = edited();
      const names = new Set(given().map((line) => line.split(":")[0].trim().toLowerCase()));
      const replaced = delivery.headers.filter(([name]) => names.has(name.toLowerCase())).map(([name, value]) => `${name}: ${value}`);
      const one = [`${delivery.method} ${path}`, ...replaced];
      const other = [`${method.value} ${where.value}`, ...given()];
      fill(changes, ...diff(one.join("\n"), other.join("\n")),
        ...(text === null ? [el("span", {}, "The body is unchanged.")] : diff(pretty(body.text), pretty(text))));
      return true;
    } catch (error) {
      trouble.textContent = error.message;
      return false;
    }
  };
  const send = async (event) => {
    event.preventDefault();
    if (!look()) return;
    const wish = {
      target: target.value || null,
      method: method.value === delivery.method ? null : method.value,
      path: where.value === path ? null : where.value,
      headers: given(),
      signing: signing.value,
      age_seconds: Number(age.value) || 0,
      body: edited(),
    };
    try {
      const { attempt } = await call(`deliveries/${delivery.id}/replay`, { method: "POST", body: wish });
      byId("dialog").close();
      say(`Replayed #${delivery.id}: ${attempt.status ?? attempt.error}`);
      document.dispatchEvent(new CustomEvent("attempted", { detail: attempt }));
    } catch (error) {
      trouble.textContent = error instanceof ApiError && error.hint ? `${error.message} ${error.hint}` : error.message;
    }
  };
  for (const each of [envelope, inner, heads, method, where]) each.addEventListener("input", look);
  fill(byId("dialog"), el("form", { onsubmit: send },
    el("h1", { id: "dialog-title" }, `Edit and replay #${delivery.id}`),
    el("div", { class: "line" }, field("Target", target), field("Method", method), field("Path and query", where)),
    el("div", { class: "line" }, field("Signature", signing), aged),
    field("Headers to set", heads),
    hasContent ? el("div", { class: "columns" }, field("Envelope", envelope), field("content, written back as a string", inner)) : field("Body", envelope),
    el("h2", { class: "dim" }, "Changes"), changes, trouble,
    el("div", { class: "buttons" }, el("button", { type: "button", onclick: () => byId("dialog").close() }, "Cancel"), el("button", { class: "main", id: "replay-send" }, "Sign and send"))));
  look();
  byId("dialog").showModal();
}

function pretty(text) {
  const parsed = tryParse(text);
  if (parsed.value === undefined) return text;
  const value = parsed.value;
  if (value instanceof Map && typeof value.get("content") === "string") {
    const inner = tryParse(value.get("content")).value;
    if (inner !== undefined) return write(new Map([...value, ["content", inner]]), "  ");
  }
  return write(value, "  ");
}
export { pretty };

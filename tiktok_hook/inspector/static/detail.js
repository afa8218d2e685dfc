// One delivery: what it means, the verdict, its attempts, headers, body.

import { bodyOf, call, file, header, text } from "./api.js";
import { bodyView, brokenJson, selectedViews, selectViews } from "./body.js";
import { byId, copy, el, fill, say } from "./dom.js";
import { ExactNumber, tryParse } from "./exact.js";
import { openReplay, replayNow, report } from "./replay.js";
import { emit, state } from "./state.js";
import { tree } from "./tree.js";
import {
  VERDICTS,
  ago,
  attemptClass,
  eventName,
  headerText,
  milliseconds,
  moment,
  plural,
  productClass,
  size,
  statusClass,
  time,
  visible,
} from "./words.js";

let shown = 0;
let drawn = null;
let loading = null; // the delivery that is being loaded
let isStale = false; // whether it changed meanwhile

// `quietly` keeps what is shown when the delivery cannot be loaded.
export async function drawDetail(id, { quietly = false } = {}) {
  if (id !== null && loading === id) {
    isStale = true; // several events of one delivery cost one more request, not one each
    return;
  }
  const mine = ++shown;
  loading = id;
  isStale = false;
  document.body.classList.toggle("showing", id !== null);
  const pane = byId("detail");
  if (id === null) {
    drawn = null;
    const keys = [el("kbd", {}, "j"), " and ", el("kbd", {}, "k"), " select a delivery, "];
    fill(pane, el("p", { class: "hint" }, keys, el("kbd", {}, "?"), " shows all keys."));
    return;
  }
  try {
    const whole = await call(`deliveries/${id}`);
    if (mine !== shown) return;
    const before =
      drawn === id
        ? /** @type {HTMLDetailsElement[]} */ ([...pane.querySelectorAll("details[id]")])
        : [];
    // What was closed while the attempt was still running may open now, if it has failed.
    const settled = before.filter((each) => each.dataset.running === undefined);
    const known = new Map(settled.map((each) => [each.id, each.open]));
    const views = drawn === id ? selectedViews(pane) : new Map();
    fill(pane, ...parts(whole, known));
    selectViews(pane, views);
    if (drawn !== id) pane.scrollTop = 0;
    drawn = id;
  } catch (error) {
    if (mine === shown && !quietly) {
      drawn = null;
      fill(pane, backButton(), el("p", { class: "bad" }, error.message));
    } else if (mine === shown) {
      for (const button of pane.querySelectorAll("#replay, #edit, .asks")) button.disabled = true;
    }
  } finally {
    if (mine === shown) loading = null;
  }
  if (mine === shown && isStale) await drawDetail(id, { quietly });
}

const backButton = () =>
  el("button", { type: "button", class: "back", onclick: () => emit("leave") }, "← List");

/**
 * @param {Api.Whole} whole
 * @param {Map<string, boolean>} known - which parts that open and close were open before, by id
 */
function parts(whole, known) {
  const { delivery, attempts } = whole;
  const body = bodyOf(delivery);
  const parsed = body.text === null ? {} : tryParse(body.text);
  const query = delivery.query ? `?${delivery.query}` : "";
  const line = `${delivery.method} ${delivery.path}${query} HTTP/${delivery.http_version}`;
  const last = attempts.at(-1);
  return [
    backButton(),
    heading(whole),
    redelivery(whole),
    verdictBand(delivery),
    failureBand(last),
    queueView(whole),
    answerView(whole),
    actions(whole, body),
    meaning(whole, parsed, known),
    differencesView(whole),
    el("h2", {}, "Attempts"),
    attempts.length
      ? attempts.toReversed().map((each) => attemptView(each, delivery, known, each === last))
      : el("p", { class: "dim" }, "Not forwarded to an app."),
    el("h2", {}, "Request"),
    el("p", { class: "mono line" }, visible(line)),
    headers(delivery.headers),
    el("h2", {}, `Body, ${size(body.bytes.length)}`),
    delivery.body_bytes > body.bytes.length
      ? el("p", { class: "warn" }, `Cut when it was stored; ${size(delivery.body_bytes)} in all.`)
      : null,
    bodyView(body, parsed),
  ];
}

function heading({ delivery, product, meaning: meant, log_id: log }) {
  const from = visible(delivery.remote_addr) || "unknown";
  return [
    el(
      "h1",
      {},
      el("span", { class: "dim number" }, `#${delivery.id} `),
      el("span", { class: productClass(product) }, visible(eventName(delivery))),
    ),
    el(
      "div",
      {},
      visible(delivery.summary),
      " ",
      meant ? el("span", { class: "dim" }, `· ${meant}`) : null,
    ),
    el(
      "div",
      { class: "dim" },
      el("time", { datetime: delivery.received_at }, moment(delivery.received_at)),
      " · ",
      age(Date.parse(delivery.received_at)),
      ` · from ${from}`,
      delivery.source === "tiktok" ? "" : ` · ${delivery.source}`,
      delivery.imported_id ? ` · was #${delivery.imported_id}` : "",
      delivery.listener ? ` · received by ${visible(delivery.listener)}` : "",
    ),
    log === null
      ? null
      : el(
          "div",
          { class: "dim log-id", title: "Quote it to TikTok's support" },
          "TikTok's log id ",
          el("code", {}, log),
          " ",
          el(
            "button",
            { type: "button", class: "quiet", onclick: () => copy(log, "Log id") },
            "Copy",
          ),
        ),
  ];
}

const link = (id) => el("button", { type: "button", onclick: () => emit("go", id) }, `#${id}`);

function redelivery({ delivery, redeliveries }) {
  const others = redeliveries.filter((id) => id !== delivery.id);
  if (!others.length) return null;
  return el(
    "p",
    { class: "warn" },
    `Delivery ${delivery.redelivery_number} of this event; the others: `,
    others.slice(0, 12).map((id) => [link(id), " "]),
  );
}

/** @param {Api.Delivery} delivery */
function verdictBand(delivery) {
  const { reason, hint, secret, state: found } = delivery.verdict;
  const [word, kind] = VERDICTS[found];
  const title = found === "missing" ? "No signature" : `Signature ${word}`;
  const isImported = delivery.source === "import" && found !== "unchecked";
  return el(
    "div",
    { class: `band ${kind}`, role: "note" },
    el("b", {}, title),
    isImported ? " (from the imported file)" : "",
    reason ? `: ${visible(reason)}` : "",
    secret > 1 ? ` (secret ${secret})` : "",
    hint ? el("p", {}, visible(hint)) : null,
  );
}

/**
 * Why the last attempt failed.
 * @param {Api.Attempt | undefined} attempt
 */
function failureBand(attempt) {
  if (!attempt || attemptClass(attempt) === "good" || attemptClass(attempt) === "dim") return null;
  const title =
    attempt.status === null ? `App: ${attempt.error}` : `App answered ${attempt.status}`;
  return el(
    "div",
    { class: `band ${attemptClass(attempt)}`, id: "failure", role: "note" },
    el("b", {}, title),
    attempt.expects_rejection ? " to a request that it should reject" : "",
    attempt.hint ? el("p", {}, visible(attempt.hint)) : null,
  );
}

/**
 * The targets that it still waits for. What the stream reported is newer than what is on disk.
 * @param {Api.Whole} whole
 */
function queueView({ delivery, queue }) {
  const last = state.retries.get(delivery.id);
  const ofTarget = ({ target }) => (last?.target.startsWith(target) ? last : null);
  const left = queue.filter((entry) => ofTarget(entry)?.will_retry !== false);
  if (!left.length) return null;
  const words = (entry) => {
    if (entry.mode === "hold") return "when forwarding is resumed";
    const at = ofTarget(entry)?.next_try_at ?? entry.next_try_at;
    return at === null ? "in the order of arrival" : `next try at ${time(at)}`;
  };
  const tries = ({ tries: count }) =>
    count ? `, ${plural(count, "failure", "failures")} so far` : "";
  const end = ({ deadline, mode }) =>
    deadline === null || mode === "hold" ? "" : `, given up after ${moment(deadline)}`;
  return el(
    "div",
    { class: "band warn", id: "queue", role: "note" },
    el("b", {}, "Queued"),
    left.map((entry) =>
      el("p", {}, visible(entry.target), `: ${words(entry)}${tries(entry)}${end(entry)}`),
    ),
  );
}

// What TikTok was answered, and the rule that chose it.
/** @param {Api.Whole} whole */
function answerView({ delivery, answer_rule: rule }) {
  return el(
    "div",
    { id: "answer" },
    "TikTok was answered ",
    el("b", { class: statusClass(delivery.status) }, delivery.status ?? "nothing yet"),
    rule === null
      ? null
      : [" by the answer rule ", el("code", {}, visible(rule.filter)), `: ${rule.answer}`],
  );
}

// Where it differs from the catalogue, as `tiktok-hook show` lists it.
function differencesView({ differences }) {
  if (!differences.length) return null;
  return el(
    "div",
    { id: "differences" },
    el("h2", {}, "Differs from what is known"),
    el(
      "ul",
      {},
      differences.map(({ path, words }) => el("li", {}, el("code", {}, path), `: ${words}`)),
    ),
  );
}

function actions(whole, body) {
  const { delivery } = whole;
  const target = state.status?.target ?? whole.recorded_target;
  const isLost = state.lostAt !== null;
  const title = target ? `To ${target}` : "There is no target: use Edit and replay";
  const button = (words, onclick, attributes = {}) =>
    el("button", { type: "button", onclick, ...attributes }, words);
  const copyCurl = async () => {
    try {
      copy(await text(`deliveries/${delivery.id}/curl`), "cURL");
    } catch (error) {
      report(error);
    }
  };
  const files = [
    ["har", "HAR"],
    ["jsonl", "JSON Lines"],
    ["pytest", "pytest"],
  ];
  return el(
    "div",
    { class: "actions" },
    button("Replay", () => replayNow(delivery), {
      class: "main",
      id: "replay",
      disabled: !target || isLost,
      title,
    }),
    button("Edit and replay…", () => openReplay(whole), { id: "edit", disabled: isLost }),
    button("Copy as cURL", copyCurl, { class: "asks", disabled: isLost }),
    body.text === null ? null : button("Copy body", () => copy(body.text, "Body")),
    el(
      "span",
      { class: "downloads" },
      el("span", { class: "dim" }, "Download "),
      files.map(([format, words]) =>
        button(words, () => download(`export?format=${format}&ids=${delivery.id}`), {
          class: "quiet asks",
          disabled: isLost,
        }),
      ),
      button("raw body", () => download(`deliveries/${delivery.id}/body`), {
        class: "quiet asks",
        disabled: isLost,
      }),
    ),
  );
}

// Fetched first, so that an error is reported and not saved under the file's name.
export async function download(path) {
  let got;
  try {
    got = await file(path);
  } catch (error) {
    say(`${error.message} ${error.hint ?? ""}`.trim());
    return;
  }
  const href = URL.createObjectURL(got.blob);
  const anchor = el("a", { href, download: got.name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
}

function meaning({ meanings, documentation }, parsed, known) {
  if (!(parsed.value instanceof Map)) return null;
  const rows = [...parsed.value].map(([key, value]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, visible(key)),
      el("td", {}, fieldView(key, value, meanings, known)),
    ),
  );
  return el(
    "div",
    {},
    el("h2", {}, "Event"),
    el("table", { class: "pairs event" }, el("tbody", {}, rows)),
    documentation
      ? el(
          "p",
          { class: "dim" },
          el(
            "a",
            { href: documentation, target: "_blank", rel: "noreferrer noopener" },
            "TikTok's documentation",
          ),
        )
      : null,
  );
}

function fieldView(key, value, meanings, known) {
  const inner = key === "content" && typeof value === "string" ? tryParse(value) : {};
  if (inner.error && /^\s*[{[]/.test(value)) {
    return el("pre", { tabindex: "0" }, brokenJson(value, inner.error));
  }
  const isTree = inner.value instanceof Map || Array.isArray(inner.value);
  const shownValue = isTree ? inner.value : value;
  return [
    tree(shownValue, { id: `tree.${key}`, path: key, meanings, known }),
    key === "create_time" ? el("span", { class: "words" }, when(value)) : null,
  ];
}

function when(value) {
  if (!(value instanceof ExactNumber) || !/^\d{1,14}$/.test(value.text)) return "";
  const stamp = Number(value.text) * (value.text.length > 11 ? 1 : 1000);
  return [`${moment(stamp)}, `, age(stamp)];
}

const agoNow = (stamp) => ago((Date.now() - stamp) / 1000);
const age = (stamp) => el("span", { class: "age", "data-stamp": String(stamp) }, agoNow(stamp));

// How long ago things were, again as time passes.
export function renewAges() {
  for (const each of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".age"))) {
    const words = agoNow(Number(each.dataset.stamp));
    if (each.textContent !== words) each.textContent = words;
  }
}

const headers = (pairs) =>
  el(
    "table",
    { class: "pairs" },
    el(
      "tbody",
      {},
      pairs.map(([name, value]) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, visible(name)),
          el("td", {}, visible(headerText(value))),
        ),
      ),
    ),
  );

/**
 * The last attempt is open when it failed.
 * @param {Api.Attempt} attempt
 * @param {Api.Delivery} delivery
 * @param {Map<string, boolean>} known
 * @param {boolean} isLast
 */
function attemptView(attempt, delivery, known, isLast) {
  const outcome = attempt.status ?? attempt.error ?? "not finished";
  const { request } = attempt;
  const isUnchanged = request.body === undefined && request.body_base64 === undefined;
  const sent = isUnchanged ? null : bodyOf(request);
  const got = bodyOf(attempt);
  const id = `attempt-${attempt.id}`;
  const kind = attemptClass(attempt);
  const isFailure = isLast && (kind === "bad" || kind === "warn");
  const tag = (words, extra = "") => el("span", { class: `tag ${extra}` }, words);
  return el(
    "details",
    {
      class: "attempt",
      open: known.get(id) ?? isFailure,
      id,
      "data-running": attempt.duration_ms === null ? "" : null,
    },
    el(
      "summary",
      {},
      el("span", { class: "number" }, `${attempt.id} `),
      el("b", { class: kind }, outcome),
      ` ${milliseconds(attempt.duration_ms)} `,
      el("span", { class: "dim" }, `${visible(attempt.target)} `),
      attempt.replay ? [tag("replay"), " "] : null,
      attempt.variant ? [tag(attempt.variant, "warn"), " "] : null,
      attempt.resigned ? [tag("re-signed", "dim"), " "] : null,
      attempt.app ? tag(visible(attempt.app), "dim") : null,
    ),
    el(
      "div",
      {},
      // The band at the top has the hint of the last one.
      attempt.hint && !isFailure ? el("p", { class: "hint" }, visible(attempt.hint)) : null,
      el("div", { class: "dim" }, moment(attempt.started_at)),
      el("h2", {}, "Response"),
      headers(attempt.headers),
      bodyView(
        got,
        got.text === null ? {} : tryParse(got.text),
        header(attempt, "content-encoding"),
        header(attempt, "content-type"),
      ),
      attempt.truncated
        ? el("p", { class: "dim" }, "The response was longer than what is stored.")
        : null,
      el("h2", {}, "Request"),
      el("p", { class: "mono line" }, visible(`${request.method} ${attempt.target}`)),
      headers(request.headers),
      sent === null
        ? el("p", { class: "dim" }, `The body of #${delivery.id}, unchanged.`)
        : bodyView(sent, sent.text === null ? {} : tryParse(sent.text)),
    ),
  );
}

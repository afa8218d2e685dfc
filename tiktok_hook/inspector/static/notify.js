// Desktop notifications, asked for by a button: of failures, or of what the filters match.

import { el } from "./dom.js";
import { filters } from "./state.js";
import { eventName } from "./words.js";

const KEY = "tiktok_hook_notify";

const supported = () => "Notification" in window && Notification.permission !== "denied";

// Kept for the tab: a click on a notification loads the page again.
let isOn =
  supported() && Notification.permission === "granted" && sessionStorage.getItem(KEY) === "on";

// A button that turns them on and off; `changed` draws it again.
export function notifyButton(changed) {
  if (!supported()) return null;
  const toggle = async () => {
    if (isOn) isOn = false;
    else isOn = (await Notification.requestPermission()) === "granted";
    sessionStorage.setItem(KEY, isOn ? "on" : "off");
    changed();
  };
  const words = [...filters()].length ? "matching deliveries" : "failures";
  return el(
    "button",
    {
      type: "button",
      id: "notify",
      "aria-pressed": String(isOn),
      title: `Notify me of ${words} while this tab is in the background`,
      onclick: toggle,
    },
    isOn ? "Notifying" : "Notify me",
  );
}

const notified = new Set();

function show(id, title, body) {
  if (!isOn || !document.hidden || notified.has(id)) return;
  notified.add(id);
  const shown = new Notification(title, { body, tag: `delivery-${id}` });
  shown.onclick = () => {
    window.focus();
    location.assign(`/?id=${id}`);
  };
}

// `isMatching`: whether the list shows the row; with filters, only the server can decide that.
export function notifyRow(row, isMatching) {
  if (![...filters()].length || !isMatching) return;
  const { delivery } = row;
  show(delivery.id, `#${delivery.id} ${eventName(delivery)}`, delivery.summary);
}

export function notifyAttempt(attempt) {
  if ([...filters()].length || attempt.replay || attempt.duration_ms === null) return;
  if (attempt.status === 200) return;
  const words = attempt.status === null ? attempt.error : `App answered ${attempt.status}`;
  show(attempt.delivery_id, `#${attempt.delivery_id} failed`, `${words}. ${attempt.hint}`);
}

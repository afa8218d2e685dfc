// The one dialog of the page.

import { byId, el, fill } from "./dom.js";

export function openDialog(title, ...children) {
  fill(byId("dialog"), el("h1", { id: "dialog-title" }, title), ...children);
  if (!byId("dialog").open) byId("dialog").showModal();
}

export const closeDialog = () => byId("dialog").close();

export const closeButton = (words = "Close") =>
  el("button", { type: "button", onclick: closeDialog }, words);

export const field = (words, control) =>
  el("label", { class: "field" }, el("span", {}, words), control);

// Ctrl+Enter (Cmd+Enter) sends a form from any of its fields.
export function submitOnCtrlEnter(event) {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  event.currentTarget.requestSubmit();
}

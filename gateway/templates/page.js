// Keeps the page up to date: the server sends parts of it, rendered and escaped, and this puts them in their places.
"use strict";

const MOST_CALLS = 50;
const list = document.getElementById("list");
const none = document.getElementById("none");
const live = document.getElementById("live");
const liveText = document.getElementById("live-text");

function say(state, text) {
  live.dataset.state = state;
  if (liveText.textContent !== text) liveText.textContent = text;
}

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

// A part that holds the focus is left as it is until the focus moves.
function replace(id, html) {
  const part = document.getElementById(id);
  if (!part.contains(document.activeElement)) part.innerHTML = html;
}

// The calls stand by their numbers, the latest first.
function place(call, id) {
  const before = [...list.children].find((other) => Number(other.id.slice("call-".length)) < id);
  list.insertBefore(call, before ?? null);
}

function show({ id, html }) {
  const call = parsed(html);
  const old = document.getElementById(call.id);
  if (old) {
    call.open = old.open;
    const focused = old.contains(document.activeElement);
    old.replaceWith(call);
    if (focused) call.querySelector("summary").focus();
  } else {
    place(call, id);
    call.classList.add("new");
  }
}

function follow() {
  const events = new EventSource("events" + location.search);
  events.addEventListener("open", () => say("on", "Live"));
  events.addEventListener("error", () => say("off", "Reconnecting…"));
  events.addEventListener("calls", (event) => {
    JSON.parse(event.data).forEach(show);
    while (list.children.length > MOST_CALLS) list.lastElementChild.remove();
    none.hidden = list.children.length > 0;
  });
  events.addEventListener("parts", (event) => {
    const parts = JSON.parse(event.data);
    replace("summary", parts.summary);
    replace("health", parts.health);
  });
  events.addEventListener("spend", (event) => replace("spend", JSON.parse(event.data)));
  addEventListener("pagehide", () => events.close());
}

// An address without blank values can be read and sent on.
document.querySelector(".filter").addEventListener("submit", (event) => {
  for (const field of event.target.elements) if (field.value === "") field.disabled = true;
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const field of document.querySelectorAll(".filter [disabled]")) field.disabled = false;
  follow();
});

say("off", "Connecting…");
follow();

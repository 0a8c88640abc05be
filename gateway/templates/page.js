// Keeps the page up to date: the server sends parts of it, rendered and escaped, and this puts them in their places.
"use strict";

// Milliseconds until a connection is tried again that the browser gives up, and between two reloads.
const AGAIN = 3000;
const RELOAD = 5000;
const list = document.getElementById("list");
const MOST_CALLS = Number(list.dataset.most);
const more = document.getElementById("more");
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
const pending = new Map();
function replace(id, html) {
  const part = document.getElementById(id);
  if (part.contains(document.activeElement)) {
    pending.set(id, html);
  } else {
    pending.delete(id);
    part.innerHTML = html;
  }
}
addEventListener("focusout", () => setTimeout(() => pending.forEach((html, id) => replace(id, html))));

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

// What the list holds is dropped, if the server does not name it.
function showAll(calls) {
  const named = new Set(calls.map(({ id }) => "call-" + id));
  for (const old of [...list.children]) if (!named.has(old.id)) old.remove();
  calls.forEach(show);
}

function trim() {
  while (list.children.length > MOST_CALLS) list.lastElementChild.remove();
  none.hidden = list.children.length > 0;
  if (list.children.length >= MOST_CALLS) more.hidden = false;
}

// Not again at once, and not while the filter is filled in.
let reloading = false;
function reload() {
  if (reloading) return;
  reloading = true;
  const now = () => {
    if (document.activeElement?.closest(".filter")) addEventListener("focusout", () => setTimeout(now), { once: true });
    else location.reload();
  };
  setTimeout(now, Math.max(0, RELOAD - performance.now()));
}

let events = null;
function follow() {
  events?.close();
  const source = new EventSource("events" + location.search);
  events = source;
  source.addEventListener("error", () => {
    say("off", "Reconnecting…");
    // After a response that is no stream, the browser does not try again.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, AGAIN);
  });
  source.addEventListener("hello", (event) => {
    // The gateway has started again: the numbers of calls begin again, and the page may be another one.
    if (JSON.parse(event.data).run !== document.documentElement.dataset.run) reload();
    else say("on", "Live");
  });
  source.addEventListener("list", (event) => {
    if (reloading) return;
    showAll(JSON.parse(event.data));
    trim();
  });
  source.addEventListener("calls", (event) => {
    if (reloading) return;
    JSON.parse(event.data).forEach(show);
    trim();
  });
  // Calls in progress: rows that have changed, and the time that each has taken.
  source.addEventListener("running", (event) => {
    if (reloading) return;
    const { changed, elapsed } = JSON.parse(event.data);
    changed.forEach(show);
    trim();
    for (const [id, text] of elapsed) {
      for (const part of document.querySelectorAll(`#call-${id} .elapsed`)) part.textContent = text;
    }
  });
  source.addEventListener("parts", (event) => {
    const parts = JSON.parse(event.data);
    replace("summary", parts.summary);
    replace("health", parts.health);
  });
  source.addEventListener("spend", (event) => replace("spend", JSON.parse(event.data)));
}
addEventListener("pagehide", () => events?.close());

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

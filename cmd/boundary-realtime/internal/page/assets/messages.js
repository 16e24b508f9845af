// The list of what has arrived, newest first, bounded.

const most = 500;

export class Messages {
  constructor(list, onCount) {
    this.list = list;
    this.onCount = onCount;
    this.total = 0;
    this.held = []; // what arrived while paused
    this.paused = false;
  }

  add(message, at = new Date()) {
    this.total++;
    this.onCount(this.total);
    if (!this.paused) {
      this.show({ message, at });
      return;
    }
    this.held.push({ message, at });
    if (this.held.length > most) this.held.shift();
  }

  pause(paused) {
    this.paused = paused;
    if (!paused) this.held.splice(0).forEach((entry) => this.show(entry));
  }

  clear() {
    this.total = 0;
    this.held = [];
    this.list.replaceChildren();
    this.onCount(0);
  }

  show({ message, at }) {
    this.list.prepend(entry(message, at));
    while (this.list.childElementCount > most) this.list.lastElementChild.remove();
  }
}

function entry(message, at) {
  const { type, topic, timestamp, ...rest } = message;
  const isFrame = String(type).startsWith("$"); // of the protocol: shown small
  const item = element("li", isFrame ? "frame" : "");
  const time = element("time", "", clock(at));
  time.dateTime = at.toISOString();
  if (timestamp) time.title = `sent ${timestamp}`;
  const head = element("div", "head");
  head.append(element("span", "type", type));
  if (topic) head.append(element("span", "topic", topic));
  item.append(time, head);
  const fields = Object.keys(rest);
  if (fields.length > 0) {
    const shown = fields.length === 1 && fields[0] === "payload" ? rest.payload : rest;
    const text = typeof shown === "string" ? shown : JSON.stringify(shown, null, isFrame ? 0 : 2);
    item.append(element("pre", "", text));
  }
  return item;
}

// What arrives is only ever text.
export function element(name, className, text = "") {
  const e = document.createElement(name);
  if (className) e.className = className;
  e.textContent = text;
  return e;
}

const clock = (at) =>
  at.toLocaleTimeString("en-GB", { hour12: false }) + "." + String(at.getMilliseconds()).padStart(3, "0");

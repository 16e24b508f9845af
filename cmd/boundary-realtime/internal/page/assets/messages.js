// The list of messages and protocol frames, arrived and sent: newest first, bounded.

const most = 500;
const foldedLines = 9; // a longer text is folded
const foldedLength = 500;

export class Messages {
  constructor(list, onChange) {
    Object.assign(this, { list, onChange });
    this.frames = true; // frames of the protocol are shown
    this.pings = false; // so is $ping, from now on
    this.paused = false;
    this.reset();
  }

  reset() {
    this.total = 0; // messages that have arrived
    this.heldBack = 0; // of these, those that a pause keeps from the list
    this.held = [];
  }

  get shown() {
    return this.list.querySelector(this.frames ? "li" : "li:not(.frame)") !== null;
  }

  arrived(message, address) {
    if (message.type === "$ping" && !this.pings) return;
    const { type, timestamp, ...rest } = message;
    const isFrame = String(type).startsWith("$"); // of the protocol: shown small
    if (!isFrame) delete rest.topic; // it is the address
    const item = line(isFrame ? "frame" : "message", type, rest);
    if (timestamp) item.querySelector("time").title = `sent ${timestamp}`;
    if (!isFrame) {
      tag(item, address.kind === "topic" ? "topic" : "address", address.text);
      this.total++;
      if (this.paused) this.heldBack++;
    }
    this.add(item);
  }

  // Returns a function that shows the outcome.
  sent({ kind, target, message }) {
    const { type, ...rest } = message;
    const item = line("sent", type, rest);
    tag(item, "way", "sent", "first");
    tag(item, "address", kind === "everyone" ? "to everyone" : `to ${kind} ${target}`);
    const outcome = tag(item, "outcome", "…");
    this.add(item);
    return (text) => (outcome.textContent = text);
  }

  command({ action, ...rest }) {
    const item = line("frame sent", action, rest);
    tag(item, "way", "sent", "first");
    this.add(item);
  }

  add(item) {
    if (this.paused) {
      this.held.push(item);
      if (this.held.length > most) this.held.shift();
    } else this.show(item);
    this.onChange();
  }

  show(item) {
    this.list.prepend(item);
    while (this.list.childElementCount > most) this.list.lastElementChild.remove();
  }

  pause(paused) {
    this.paused = paused;
    if (!paused) {
      this.held.splice(0).forEach((item) => this.show(item));
      this.heldBack = 0;
    }
    this.onChange();
  }

  showFrames(frames) {
    this.frames = frames;
    this.list.classList.toggle("plain", !frames);
    this.onChange();
  }

  clear() {
    this.list.replaceChildren();
    this.reset();
    this.cleared = true;
    this.onChange();
  }

  // Why the list is empty, given the state of the connection and its words.
  emptyText(state, words) {
    if (state === "closed") return `${words}. Nothing arrives until you connect.`;
    if (state !== "open") return "Connecting: messages are shown here once that has succeeded.";
    if (this.paused) return "Paused: what arrives is held back until you resume.";
    if (this.list.childElementCount > 0) return "No messages yet; the protocol frames are hidden.";
    if (this.cleared) return "Cleared. What arrives from now on is shown here.";
    return "Nothing has arrived yet. Send something, or open a second client.";
  }
}

function line(className, type, rest, at = new Date()) {
  const item = element("li", className);
  const time = element("time", "", clock(at));
  time.dateTime = at.toISOString();
  const head = element("div", "head");
  head.append(element("span", "type", type));
  item.append(time, head);
  const fields = Object.keys(rest);
  if (fields.length > 0) {
    const shown = fields.length === 1 && fields[0] === "payload" ? rest.payload : rest;
    const text = typeof shown === "string" ? shown : JSON.stringify(shown, null, className.includes("frame") ? 0 : 2);
    const pre = element("pre", "", text);
    item.append(pre);
    const lines = text.split("\n").length;
    if (lines > foldedLines || text.length > foldedLength) item.append(unfold(pre));
  }
  return item;
}

// Returns a button that shows the whole of a folded text, and folds it again.
function unfold(pre) {
  const button = element("button", "quiet unfold");
  button.type = "button";
  const fold = (folded) => {
    pre.classList.toggle("folded", folded);
    button.textContent = folded ? "Show all" : "Show less";
    button.setAttribute("aria-expanded", String(!folded));
  };
  button.addEventListener("click", () => fold(!pre.classList.contains("folded")));
  fold(true);
  return button;
}

function tag(item, className, text, first) {
  const e = element("span", className, text);
  const head = item.querySelector(".head");
  if (first) head.prepend(e);
  else head.append(e);
  return e;
}

// The text is never taken for markup.
export function element(name, className, text = "") {
  const e = document.createElement(name);
  if (className) e.className = className;
  e.textContent = text;
  return e;
}

const clock = (at) =>
  at.toLocaleTimeString("en-GB", { hour12: false }) + "." + String(at.getMilliseconds()).padStart(3, "0");

// One client: a WebSocket that comes back by itself, and its subscriptions,
// which survive that.

import { describe, needsToken, patience, reconnects } from "./codes.js";

const protocol = "boundary.realtime.v1";
const firstDelay = 500;
const longestDelay = 30000;
const steady = 10000; // a connection that lived so long starts the delays afresh
const lost = 4012; // what we close with when the server has fallen silent

export class Connection {
  // token() resolves to a token; with true, to a new one. onState takes a state
  // and its words, onMessage every message.
  constructor({ url, token, onState, onMessage }) {
    Object.assign(this, { url, token, onState, onMessage });
    this.topics = new Set();
    this.replies = new Map(); // ref -> resolve
    this.ref = 0;
    this.attempt = 0;
    this.calls = 0; // of open and close: the last one counts
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  async open(fresh = false) {
    this.stop();
    this.onState("connecting", "Connecting…");
    const call = ++this.calls;
    try {
      const token = await this.token(fresh);
      if (call === this.calls) this.dial(token);
    } catch {
      if (call === this.calls) this.retry(1006); // the server that gives tokens cannot be reached
    }
  }

  dial(token) {
    const socket = new WebSocket(this.url, [protocol, `bearer.${token}`]);
    this.socket = socket;
    this.closing = null;
    const ours = (handle) => (event) => {
      if (this.socket === socket) handle(event);
    };
    socket.addEventListener("message", ours((event) => this.receive(event.data)));
    socket.addEventListener("close", ours((event) => this.closed(event)));
  }

  close() {
    const socket = this.socket;
    this.calls++;
    this.stop();
    this.socket = undefined;
    socket?.close(1000);
    this.onState("closed", "Disconnected");
  }

  stop() {
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    for (const resolve of this.replies.values()) resolve({ ok: false, error: { message: "the connection closed" } });
    this.replies.clear();
  }

  receive(text) {
    const message = JSON.parse(text);
    if (message.type === "$connected") this.connected(message);
    if (message.type === "$closing") this.closing = message;
    if (message.type === "$reply") this.replied(message);
    this.listen();
    this.onMessage(message);
  }

  connected(hello) {
    this.since = Date.now();
    this.pingInterval = hello.pingInterval;
    this.onState("open", "Connected");
    for (const topic of this.topics) this.command("subscribe", topic);
  }

  // The server sends a ping that scripts can see; when two are missed the line is
  // dead, though the browser may not know for minutes.
  listen() {
    clearTimeout(this.silence);
    if (!this.pingInterval) return;
    const socket = this.socket;
    this.silence = setTimeout(() => {
      this.closed({ code: lost, reason: "the server fell silent" });
      socket.close(lost);
    }, 2 * this.pingInterval + 5000);
  }

  closed({ code, reason }) {
    const lived = Date.now() - (this.since ?? Date.now());
    this.since = undefined;
    this.socket = undefined;
    this.stop();
    if (lived > steady) this.attempt = 0;
    if (reconnects(code)) this.retry(code, reason);
    else this.onState("closed", `Closed: ${describe(code, reason)}`, code);
  }

  // Full jitter: clients that were cut off together do not come back together.
  retry(code, reason) {
    const most = Math.min(longestDelay, firstDelay * 2 ** this.attempt++);
    const delay = Math.max(this.closing?.reconnectAfter ?? Math.random() * most, patience(code));
    const seconds = (delay / 1000).toFixed(1);
    this.onState("waiting", `${describe(code, reason)}; reconnecting in ${seconds} s`, code);
    this.timer = setTimeout(() => this.open(needsToken(code)), delay);
  }

  // Resolves to the server's reply.
  command(action, topic) {
    if (!this.isOpen) return Promise.resolve({ ok: false, error: { message: "not connected" } });
    const ref = ++this.ref;
    this.socket.send(JSON.stringify({ action, topic, ref }));
    return new Promise((resolve) => this.replies.set(ref, resolve));
  }

  replied(reply) {
    this.replies.get(reply.ref)?.(reply);
    this.replies.delete(reply.ref);
  }

  async subscribe(topic) {
    const reply = await this.command("subscribe", topic);
    if (reply.ok) this.topics.add(topic);
    return reply;
  }

  async unsubscribe(topic) {
    this.topics.delete(topic);
    return this.isOpen ? this.command("unsubscribe", topic) : { ok: true };
  }
}

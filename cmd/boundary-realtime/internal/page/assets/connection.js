// One client: a WebSocket that comes back by itself, and its subscriptions,
// which survive that.

import { describe, needsToken, patience, reconnects } from "./codes.js";
import { Refused } from "./session.js";

const protocol = "boundary.realtime.v1";
const firstDelay = 500;
const longestDelay = 5000; // short: the server is on this machine
const steady = 10000; // a connection that lived so long starts the delays afresh
const lost = 4012; // what we close with when the server has fallen silent

export class Connection {
  // token() resolves to a token; with true, to a new one. onState takes a state
  // and its words, onMessage every message, onCommand every command that is sent,
  // onTopics the reply that changed the topics by itself.
  constructor({ url, token, onState, onMessage, onCommand, onTopics }) {
    Object.assign(this, { url, token, onState, onMessage, onCommand, onTopics });
    this.topics = new Set();
    this.replies = new Map(); // ref -> resolve
    this.ref = 0;
    this.attempt = 0;
    this.calls = 0; // of open and close: the last one counts
    this.renewed = false; // since the last connection, the token was replaced
    this.end = undefined; // of the last connection, in words; until the next one
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  async open(fresh = false) {
    this.stop();
    this.drop();
    this.onState("connecting", "Connecting…");
    const call = ++this.calls;
    try {
      const token = await this.token(fresh);
      if (call === this.calls) this.dial(token);
    } catch (error) {
      if (call !== this.calls) return;
      if (error instanceof Refused) this.onState("closed", `No session: ${error.message}`);
      else this.retry(1006); // the server that gives tokens cannot be reached
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
    this.calls++;
    this.stop();
    this.drop();
    this.onState("closed", "Disconnected");
  }

  drop() {
    const socket = this.socket;
    this.socket = undefined; // so that its end is not taken for a loss
    socket?.close(1000);
  }

  stop() {
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    for (const resolve of this.replies.values()) resolve({ ok: false, error: { message: "the connection closed" } });
    this.replies.clear();
  }

  receive(text) {
    const message = JSON.parse(text);
    this.onMessage(message);
    if (message.type === "$connected") this.connected(message);
    if (message.type === "$closing") this.closing = message;
    if (message.type === "$reply") this.replied(message);
    this.listen();
  }

  connected(hello) {
    this.since = Date.now();
    this.renewed = false;
    this.end = undefined;
    this.pingInterval = hello.pingInterval;
    this.onState("open", "Connected");
    for (const topic of this.topics) this.resubscribe(topic);
  }

  // A topic that the new connection may not have is given up.
  async resubscribe(topic) {
    const reply = await this.command("subscribe", topic);
    if (!reply.error?.code) return;
    this.topics.delete(topic);
    this.onTopics(reply);
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

  // What the page says of an end: attempts that fail later do not hide why the
  // connection before has ended.
  tell(code, reason) {
    const draining = code === 1006 && this.closing?.reason === "drain";
    if (code !== 1006 || draining || !this.end) this.end = describe(code, draining ? "the server is shutting down" : reason);
    return this.end;
  }

  closed({ code, reason }) {
    const lived = Date.now() - (this.since ?? Date.now());
    this.since = undefined;
    this.socket = undefined;
    this.stop();
    if (lived > steady || needsToken(code)) this.attempt = 0; // the server is there
    // A server that was started again refuses the tokens of the one before it. A
    // new token that is refused, too, is not replaced.
    if (reconnects(code) || this.closing || (needsToken(code) && !this.renewed)) this.retry(code, reason);
    else this.onState("closed", `Closed: ${this.tell(code, reason)}`, code);
  }

  // Full jitter: clients that were cut off together do not come back together.
  retry(code, reason) {
    const most = Math.min(longestDelay, firstDelay * 2 ** this.attempt++);
    const delay = Math.max(this.closing?.reconnectAfter ?? Math.random() * most, patience(code));
    const seconds = (delay / 1000).toFixed(1);
    if (needsToken(code)) this.renewed = true;
    const how = needsToken(code) ? "reconnecting with a new token" : "reconnecting";
    this.onState("waiting", `${this.tell(code, reason)}; ${how} in ${seconds} s`, code);
    this.timer = setTimeout(() => this.open(needsToken(code)), delay);
  }

  // Resolves to the server's reply.
  command(action, topic) {
    if (!this.isOpen) return Promise.resolve({ ok: false, error: { message: "not connected" } });
    const ref = ++this.ref;
    this.socket.send(JSON.stringify({ action, topic, ref }));
    this.onCommand({ action, topic, ref });
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

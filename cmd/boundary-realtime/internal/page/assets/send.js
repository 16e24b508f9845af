// Sending as a back end does: through the HTTP API, with the API key.

const paths = {
  user: (target) => `/v1/users/${encodeURIComponent(target)}/messages`,
  role: (target) => `/v1/roles/${encodeURIComponent(target)}/messages`,
  topic: (target) => `/v1/topics/${encodeURIComponent(target)}/messages`,
  connection: (target) => `/v1/connections/${encodeURIComponent(target)}/messages`,
  everyone: () => "/v1/everyone/messages",
};

export const names = { user: "User id", role: "Role", topic: "Topic", connection: "Connection id" };

// Throws with words for people when the payload is not JSON.
export function request({ kind, target, type, payload }) {
  const message = payload.trim() === "" ? { type } : { type, payload: parse(payload) };
  return { kind, target, message, path: paths[kind](target) };
}

function parse(payload) {
  try {
    return JSON.parse(payload);
  } catch (error) {
    throw new Error(`The payload is not valid JSON: ${error.message}`);
  }
}

// Resolves to the number of connections that the message reached.
export async function send({ path, message }, session) {
  let response = await post(path, message, session.apiKey);
  if (response.status === 401) {
    await session.refreshKey(); // the server was started again, and has another key
    response = await post(path, message, session.apiKey);
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(`${response.status}: ${answer.detail ?? answer.title}`);
  return answer.recipients;
}

async function post(path, message, apiKey) {
  try {
    return await fetch(path, {
      method: "POST",
      headers: { Authorization: `Bearer ${apiKey}`, "Content-Type": "application/json" },
      body: JSON.stringify(message),
    });
  } catch {
    throw new Error("the server cannot be reached");
  }
}

export const connections = (n) => `${n} ${n === 1 ? "connection" : "connections"}`;

// Why a message reached no connection.
export const unreached = {
  user: "this user has no open connection",
  role: "no open connection has this role",
  topic: "no client is subscribed to this topic",
  connection: "no open connection has this id",
  everyone: "no client is connected",
};

const remembered = 500;

// The addresses of the messages that this page has sent. A message shows a client
// its topic and no other address. The page gives each of its messages another
// timestamp, by which it finds the address when the message arrives.
export class Addresses {
  constructor() {
    this.sent = new Map(); // timestamp -> what was sent
    this.last = 0;
  }

  // Returns the message with its time.
  stamp({ kind, target, message }) {
    this.last = Math.max(Date.now(), this.last + 1);
    const timestamp = new Date(this.last).toISOString();
    this.sent.set(timestamp, { kind, target, type: message.type });
    if (this.sent.size > remembered) this.sent.delete(this.sent.keys().next().value);
    return { ...message, timestamp };
  }

  of({ topic, timestamp, type }) {
    if (topic) return { kind: "topic", text: topic };
    const known = this.sent.get(timestamp);
    if (known?.type !== type) return { kind: "direct", text: "direct" };
    const to = { user: "you", role: `role ${known.target}`, connection: "this connection", everyone: "everyone" };
    return { kind: known.kind, text: `to ${to[known.kind]}` };
  }
}

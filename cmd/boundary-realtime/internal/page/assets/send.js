// Sending as a back end does: through the HTTP API, with the API key.

const paths = {
  user: (target) => `/v1/users/${encodeURIComponent(target)}/messages`,
  role: (target) => `/v1/roles/${encodeURIComponent(target)}/messages`,
  topic: (target) => `/v1/topics/${encodeURIComponent(target)}/messages`,
  connection: (target) => `/v1/connections/${encodeURIComponent(target)}/messages`,
  everyone: () => "/v1/broadcast",
};

export const names = { user: "User id", role: "Role", topic: "Topic", connection: "Connection id" };

// Throws with words for people when the payload is not JSON.
export function request({ kind, target, type, payload }) {
  const message = payload.trim() === "" ? { type } : { type, payload: parse(payload) };
  return { path: paths[kind](target), body: JSON.stringify(message) };
}

function parse(payload) {
  try {
    return JSON.parse(payload);
  } catch (error) {
    throw new Error(`The payload is not valid JSON: ${error.message}`);
  }
}

export async function send({ path, body }, apiKey) {
  const response = await fetch(path, {
    method: "POST",
    headers: { Authorization: `Bearer ${apiKey}`, "Content-Type": "application/json" },
    body,
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${response.status}: ${answer.detail ?? answer.title}`);
  return answer;
}

const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

export const curl = ({ path, body }, apiKey) =>
  [
    `curl -sS ${quote(location.origin + path)}`,
    `-H ${quote(`Authorization: Bearer ${apiKey}`)}`,
    `-H 'Content-Type: application/json'`,
    `-d ${quote(body)}`,
  ].join(" \\\n  ");

// What a close code says to people, and whether to connect again.

const words = {
  1000: "closed",
  1001: "the server is going away",
  1002: "protocol error",
  1003: "unsupported data",
  1006: "connection lost",
  1007: "invalid data",
  1009: "message too big",
  1011: "server error",
  1012: "the server restarts",
  1013: "try again later",
  4001: "the server is shutting down",
  4005: "the token has expired",
  4008: "this client read too slowly",
  4012: "no answer to a ping",
  4013: "too many requests",
  4500: "the token was refused",
  4501: "bad request",
  4503: "disconnected by the server",
  4504: "connection limit reached",
  4505: "topic limit reached",
  4507: "forbidden",
};

// The code, its meaning, and the reason that the server gave, which may hold the
// meaning.
export function describe(code, reason) {
  const meaning = words[code] ?? "closed";
  if (!reason) return `${code} ${meaning}`;
  return `${code} ${reason.includes(meaning) ? reason : `${meaning}: ${reason}`}`;
}

// 4000-4499 ask to come back, 4500-4999 to stay away; of the others only those
// that may pass.
export const reconnects = (code) =>
  (code >= 4000 && code <= 4499) || [1001, 1006, 1011, 1012, 1013].includes(code);

export const needsToken = (code) => code === 4005 || code === 4500;

// The least time before the next attempt, in milliseconds.
export const patience = (code) => (code === 4013 ? 5000 : 0);

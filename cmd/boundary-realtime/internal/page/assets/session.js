// Who this tab is: a token from the address, or a new one from the server. The
// fragment is removed from the address at once, so that it is not copied with
// it, and kept for this tab.

const key = "boundary-realtime";

export const list = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);

export class Session {
  constructor() {
    const stored = JSON.parse(sessionStorage.getItem(key) ?? "{}");
    this.user = stored.user ?? "alice";
    this.roles = stored.roles ?? ["user"];
    this.topics = stored.topics; // patterns the token is to allow; undefined: every topic
    this.current = stored.token;
    this.pasted = false; // the token is from the address, and was not accepted yet
    this.readAddress();
  }

  // Takes user, roles, topics and token from the address, and reports whether it
  // named a user or a token.
  readAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    if (given.has("user")) {
      this.user = given.get("user");
      this.roles = list(given.get("roles") ?? "");
      this.current = undefined;
    }
    if (given.has("user") || given.has("token")) this.topics = given.has("topics") ? list(given.get("topics")) : undefined;
    if (given.has("token")) this.current = given.get("token");
    if (given.has("user") || given.has("token")) this.pasted = given.has("token");
    history.replaceState(null, "", location.pathname);
    this.keep();
    return given.has("user") || given.has("token");
  }

  keep() {
    const { user, roles, topics, current: token } = this;
    sessionStorage.setItem(key, JSON.stringify({ user, roles, topics, token }));
  }

  // Takes user and roles from $connected: a token from the address may be for others.
  learn(user, roles) {
    Object.assign(this, { user, roles, pasted: false });
    this.keep();
  }

  async token(fresh) {
    if (fresh || !this.current) {
      const { user, roles, topics } = this;
      this.current = (await this.ask({ user, roles, topics })).token;
      this.keep();
    }
    return this.current;
  }

  async refreshKey() {
    this.apiKey = (await this.ask({})).apiKey;
  }

  // Throws an error with the server's text where it refuses, and another one where
  // it cannot be reached.
  async ask(body) {
    const response = await fetch("/dev/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Refused((await response.text()).trim());
    return response.json();
  }
}

export class Refused extends Error {}

// Who this tab is: a token from the address, or a new one from the server. The
// fragment is removed from the address at once, so that it is not copied with
// it, and kept for this tab.

const key = "boundary-realtime";

export class Session {
  constructor() {
    const stored = JSON.parse(sessionStorage.getItem(key) ?? "{}");
    const given = new URLSearchParams(location.hash.slice(1));
    this.user = given.get("user") ?? stored.user ?? "alice";
    this.roles = given.get("roles")?.split(",").filter(Boolean) ?? stored.roles ?? ["user"];
    this.current = given.get("token") ?? (given.has("user") ? undefined : stored.token);
    history.replaceState(null, "", location.pathname);
    this.keep();
  }

  keep() {
    sessionStorage.setItem(key, JSON.stringify({ user: this.user, roles: this.roles, token: this.current }));
  }

  // The server's word on who we are is better than ours.
  learn(user, roles) {
    Object.assign(this, { user, roles });
    this.keep();
  }

  async token(fresh) {
    if (fresh || !this.current) {
      this.current = (await this.ask({ user: this.user, roles: this.roles })).token;
      this.keep();
    }
    return this.current;
  }

  async refreshKey() {
    this.apiKey = (await this.ask({})).apiKey;
  }

  async ask(body) {
    const response = await fetch("/dev/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error((await response.text()).trim());
    return response.json();
  }
}

// Connects the fields and buttons of the page with the modules.

import { needsToken } from "./codes.js";
import { Connection } from "./connection.js";
import { element, Messages } from "./messages.js";
import { Addresses, connections, names, request, send, unreached } from "./send.js";
import { list, Session } from "./session.js";
import { browserScript, curl, goProgram } from "./snippets.js";

const $ = (id) => document.getElementById(id);
const on = (id, event, handle) => $(id).addEventListener(event, handle);

const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
const session = new Session();
const addresses = new Addresses();
const messages = new Messages($("messages"), showList);
const connection = new Connection({
  url,
  token: (fresh) => session.token(fresh),
  onState: showState,
  onMessage: receive,
  onCommand: (command) => messages.command(command),
  onTopics: showTopics,
});

let lastCode;

function showState(state, text, code) {
  lastCode = code;
  $("state").dataset.state = state;
  $("state-text").textContent = text;
  $("toggle").textContent = { open: "Disconnect", closed: "Connect" }[state] ?? "Stop";
  if (state !== "open") $("connection").textContent = "–";
  if (needsToken(code) && session.pasted) {
    session.pasted = false;
    result("notice", "warn", `The token in the address was refused: ${text.split("; ")[0]}. This is a new session for ${session.user}.`);
  }
  showList();
}

function receive(message) {
  if (message.type === "$connected") showClient(message);
  messages.arrived(message, addresses.of(message));
}

function showClient({ userId, roles, connectionId, expiresAt }) {
  session.learn(userId, roles);
  document.title = `${userId} · Boundary Realtime`;
  $("user").textContent = userId;
  $("roles").textContent = roles.join(", ") || "none";
  $("connection").textContent = connectionId;
  $("expiry").textContent = expiresAt ? `expires ${new Date(expiresAt).toLocaleString()}` : "does not expire";
  const other = { alice: ["bob", "admin"], bob: ["carol", "editor"] }[userId] ?? ["alice", "user"];
  $("second").href = `/#${new URLSearchParams({ user: other[0], roles: other[1] })}`;
  $("second").textContent = `Open a second client (${other[0]}, ${other[1]})`;
  if (!$("target").value && $("kind").value === "user") $("target").value = userId;
  clearResults(); // of the connection before
  showRights();
  session.refreshKey().then(showSnippets, () => result("send-result", "bad", "The API key could not be fetched."));
}

function result(id, kind, text) {
  $(id).className = `result ${kind}`;
  $(id).textContent = text;
}

// Each action shows its own result and no older one.
function clearResults() {
  for (const id of ["topic-result", "send-result"]) result(id, "", "");
}

on("toggle", "click", () => {
  clearResults();
  result("notice", "", "");
  if ($("state").dataset.state === "closed") connection.open(needsToken(lastCode));
  else connection.close();
});

// A link that is pasted into the address of this page changes its fragment alone.
addEventListener("hashchange", () => {
  if (!session.readAddress()) return;
  result("notice", "", "");
  connection.open();
});

// Topics.

on("subscribe-form", "submit", async (event) => {
  event.preventDefault();
  clearResults();
  showTopics(await connection.subscribe($("topic").value.trim()));
});

// Shows the topics, and why a reply has refused one.
function showTopics(reply) {
  const { ok, error } = reply;
  const code = error?.code ? ` (${error.code})` : "";
  result("topic-result", ok ? "" : "bad", ok ? "" : `Not subscribed: ${error.message}${code}`);
  $("topics").replaceChildren(...[...connection.topics].map(chip));
  showSnippets();
}

function chip(topic) {
  const item = element("li", "", topic);
  const remove = element("button", "", "×");
  remove.type = "button";
  remove.setAttribute("aria-label", `Unsubscribe from ${topic}`);
  remove.addEventListener("click", async () => {
    clearResults();
    await connection.unsubscribe(topic);
    showTopics({ ok: true });
    $("topic").focus();
  });
  item.append(remove);
  return item;
}

on("topic", "input", () => {
  result("topic-result", "", "");
  showSnippets();
});

// A token with a topics claim, as in production, allows what the claim lists.

function showRights() {
  $("strict").checked = session.topics !== undefined;
  $("grants-label").hidden = !$("strict").checked;
  if (session.topics) $("grants").value = session.topics.join(", ");
}

function changeRights() {
  session.topics = $("strict").checked ? list($("grants").value) : undefined;
  showRights();
  connection.open(true);
}

on("strict", "change", changeRights);
on("grants", "change", changeRights);

// Sending.

const suggestions = {
  user: () => session.user,
  role: () => session.roles[0] ?? "",
  topic: () => [...connection.topics][0] ?? $("topic").value,
  connection: () => $("connection").textContent,
  everyone: () => "",
};

// Returns the request, or nothing when the payload is not JSON.
function read() {
  const [kind, target, type, payload] = ["kind", "target", "type", "payload"].map((id) => $(id).value);
  let asked;
  try {
    asked = request({ kind, target, type, payload });
    result("payload-error", "bad", "");
  } catch (error) {
    result("payload-error", "bad", error.message);
  }
  $("payload").setAttribute("aria-invalid", String(!asked));
  return asked;
}

function showSnippets() {
  const asked = read();
  $("curl").textContent = asked ? curl(asked, session.apiKey) : "";
  $("go").textContent = asked ? goProgram(asked, session.apiKey) : "";
  $("script").textContent = browserScript(url, session.current, [...connection.topics][0] ?? $("topic").value);
}

on("kind", "change", () => {
  const kind = $("kind").value;
  $("target-label").hidden = kind === "everyone";
  $("target").required = kind !== "everyone";
  $("target-name").textContent = names[kind];
  $("target").value = suggestions[kind]();
  showSnippets();
});

on("send-form", "input", () => {
  result("send-result", "", "");
  showSnippets();
});

on("send-form", "submit", async (event) => {
  event.preventDefault();
  clearResults();
  const asked = read();
  if (!asked) {
    $("payload").focus();
    return;
  }
  const settle = messages.sent(asked);
  try {
    const recipients = await send({ ...asked, message: addresses.stamp(asked) }, session);
    settle(connections(recipients));
    const why = recipients === 0 ? `: ${unreached[asked.kind]}` : "";
    result("send-result", recipients === 0 ? "warn" : "good", `Sent to ${connections(recipients)}${why}`);
  } catch (error) {
    settle("not sent");
    result("send-result", "bad", `Not sent: ${error.message}`);
  }
});

for (const button of document.querySelectorAll("[data-copy]")) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    const done = navigator.clipboard.writeText($(button.dataset.copy).textContent);
    button.textContent = await done.then(() => "Copied", () => "Not copied");
    setTimeout(() => (button.textContent = label), 1500);
  });
}

// The list.

function showList() {
  const { shown, total, heldBack, paused } = messages;
  $("count").textContent = total || ""; // frames of the protocol do not count
  $("held").textContent = paused ? `${heldBack} held back` : "";
  $("messages").hidden = !shown;
  $("empty").hidden = shown;
  $("empty").textContent = messages.emptyText($("state").dataset.state, $("state-text").textContent);
}

on("pause", "click", () => {
  messages.pause(!messages.paused);
  $("pause").textContent = messages.paused ? "Resume" : "Pause";
});
on("clear", "click", () => messages.clear());
on("frames", "change", () => messages.showFrames($("frames").checked));
on("pings", "change", () => (messages.pings = $("pings").checked));

showRights();
showSnippets();
connection.open();

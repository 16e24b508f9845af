// The page: what is typed and clicked goes to the modules, what they tell is
// shown.

import { needsToken } from "./codes.js";
import { Connection } from "./connection.js";
import { element, Messages } from "./messages.js";
import { curl, names, request, send } from "./send.js";
import { Session } from "./session.js";

const $ = (id) => document.getElementById(id);
const on = (id, event, handle) => $(id).addEventListener(event, handle);

const session = new Session();
const messages = new Messages($("messages"), (total) => ($("count").textContent = total));
const connection = new Connection({
  url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
  token: (fresh) => session.token(fresh),
  onState: showState,
  onMessage: receive,
});

let lastCode;

function showState(state, text, code) {
  lastCode = code;
  $("state").dataset.state = state;
  $("state-text").textContent = text;
  $("toggle").textContent = { open: "Disconnect", closed: "Connect" }[state] ?? "Stop";
  if (state !== "open") $("connection").textContent = "–";
}

function receive(message) {
  if (message.type === "$connected") showClient(message);
  messages.add(message);
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
  session.refreshKey().then(showCurl, () => result("send-result", "bad", "The API key could not be fetched."));
}

function result(id, kind, text) {
  $(id).className = `result ${$(id).classList.contains("grow") ? "grow " : ""}${kind}`;
  $(id).textContent = text;
}

on("toggle", "click", () => {
  if ($("state").dataset.state === "closed") connection.open(needsToken(lastCode));
  else connection.close();
});

// Topics.

on("subscribe-form", "submit", async (event) => {
  event.preventDefault();
  const topic = $("topic").value.trim();
  const reply = await connection.subscribe(topic);
  result("topic-result", reply.ok ? "" : "bad", reply.ok ? "" : `Not subscribed: ${reply.error.message}`);
  showTopics();
});

function showTopics() {
  $("topics").replaceChildren(...[...connection.topics].map(chip));
}

function chip(topic) {
  const item = element("li", "", topic);
  const remove = element("button", "", "×");
  remove.type = "button";
  remove.setAttribute("aria-label", `Unsubscribe from ${topic}`);
  remove.addEventListener("click", async () => {
    await connection.unsubscribe(topic);
    showTopics();
    $("topic").focus();
  });
  item.append(remove);
  return item;
}

// Sending.

const suggestions = {
  user: () => session.user,
  role: () => session.roles[0] ?? "",
  topic: () => [...connection.topics][0] ?? $("topic").value,
  connection: () => $("connection").textContent,
  everyone: () => "",
};

function read() {
  return request({
    kind: $("kind").value,
    target: $("target").value,
    type: $("type").value,
    payload: $("payload").value,
  });
}

// Returns the request, or nothing when the payload is not JSON.
function showCurl() {
  let asked;
  try {
    asked = read();
    result("payload-error", "bad", "");
  } catch (error) {
    result("payload-error", "bad", error.message);
  }
  $("payload").setAttribute("aria-invalid", String(!asked));
  $("curl").textContent = asked ? curl(asked, session.apiKey) : "";
  return asked;
}

on("kind", "change", () => {
  const kind = $("kind").value;
  $("target-label").hidden = kind === "everyone";
  $("target").required = kind !== "everyone";
  $("target-name").textContent = names[kind];
  $("target").value = suggestions[kind]();
  showCurl();
});

on("send-form", "input", showCurl);

on("send-form", "submit", async (event) => {
  event.preventDefault();
  const asked = showCurl();
  if (!asked) {
    result("send-result", "", "");
    $("payload").focus();
    return;
  }
  try {
    const { recipients } = await send(asked, session.apiKey);
    result("send-result", "good", `Sent to ${recipients} ${recipients === 1 ? "connection" : "connections"}`);
  } catch (error) {
    result("send-result", "bad", `Not sent: ${error.message}`);
  }
});

on("copy", "click", async () => {
  await navigator.clipboard.writeText($("curl").textContent);
  $("copy").textContent = "Copied";
  setTimeout(() => ($("copy").textContent = "Copy"), 1500);
});

// The list.

on("pause", "click", () => {
  messages.pause(!messages.paused);
  $("pause").textContent = messages.paused ? "Resume" : "Pause";
  $("pause").setAttribute("aria-pressed", String(messages.paused));
});
on("clear", "click", () => messages.clear());
on("frames", "change", () => $("messages").classList.toggle("plain", !$("frames").checked));

connection.open();

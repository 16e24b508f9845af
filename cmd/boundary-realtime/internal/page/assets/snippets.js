// Snippets that send and receive from other programs. They work as copied.

const shellQuoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

export const curl = ({ path, message }, apiKey) =>
  [
    `curl -sS ${shellQuoted(location.origin + path)}`,
    `-H ${shellQuoted(`Authorization: Bearer ${apiKey}`)}`,
    `-H 'Content-Type: application/json'`,
    `-d ${shellQuoted(JSON.stringify(message))}`,
  ].join(" \\\n  ");

// A text in JSON is a Go string, too.
export const goProgram = ({ path, message }, apiKey) => `package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
)

func main() {
	message := strings.NewReader(${JSON.stringify(JSON.stringify(message))})
	request, err := http.NewRequest("POST", ${JSON.stringify(location.origin + path)}, message)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", ${JSON.stringify(`Bearer ${apiKey}`)})
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.Status, string(answer))
}
`;

export const browserScript = (url, token, topic) => `const token = ${JSON.stringify(token)};
const socket = new WebSocket(${JSON.stringify(url)}, ["boundary.realtime.v1", "bearer." + token]);
socket.onmessage = (event) => {
  const message = JSON.parse(event.data);
  if (message.type === "$connected") {
    socket.send(JSON.stringify({ action: "subscribe", topic: ${JSON.stringify(topic)}, ref: 1 }));
  } else if (message.type === "$reply" && !message.ok) {
    console.error("refused:", message.error.code, message.error.message);
  } else if (message.type !== "$ping") {
    console.log(message);
  }
};
socket.onclose = (event) => console.log("closed:", event.code, event.reason);
`;

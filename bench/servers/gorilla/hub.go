package main

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

const (
	writeWait  = 10 * time.Second
	pongWait   = 60 * time.Second
	pingPeriod = pongWait * 9 / 10
	sendBuffer = 256

	writeBuffer = 1024
	// joinBuffer holds 64 messages, so that they make one frame.
	joinBuffer = 16 << 10
)

// hub owns the map of clients; its run goroutine alone touches it.
type hub struct {
	upgrader   websocket.Upgrader
	join       bool
	clients    map[*client]struct{}
	size       atomic.Int64
	broadcast  chan []byte
	register   chan *client
	unregister chan *client
}

func newHub(join bool) *hub {
	buffer := writeBuffer
	if join {
		buffer = joinBuffer
	}
	return &hub{
		upgrader:   websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: buffer},
		join:       join,
		clients:    map[*client]struct{}{},
		broadcast:  make(chan []byte),
		register:   make(chan *client),
		unregister: make(chan *client),
	}
}

func (h *hub) count() int { return int(h.size.Load()) }

func (h *hub) run() {
	for {
		select {
		case c := <-h.register:
			h.clients[c] = struct{}{}
		case c := <-h.unregister:
			h.remove(c)
		case message := <-h.broadcast:
			h.sendAll(message)
		}
		h.size.Store(int64(len(h.clients)))
	}
}

func (h *hub) sendAll(message []byte) {
	for c := range h.clients {
		select {
		case c.send <- message:
		default:
			h.remove(c)
		}
	}
}

func (h *hub) remove(c *client) {
	if _, ok := h.clients[c]; ok {
		delete(h.clients, c)
		close(c.send)
	}
}

// ServeHTTP upgrades and starts the two pumps of the connection.
func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &client{hub: h, conn: conn, send: make(chan []byte, sendBuffer)}
	h.register <- c
	go c.writePump()
	go c.readPump()
}

// client is one connection. Its write pump alone writes, its read pump alone
// reads.
type client struct {
	hub  *hub
	conn *websocket.Conn
	send chan []byte
}

func (c *client) readPump() {
	defer func() {
		c.hub.unregister <- c
		_ = c.conn.Close()
	}()
	c.conn.SetReadLimit(512)
	alive := func(string) error { return c.conn.SetReadDeadline(time.Now().Add(pongWait)) }
	c.conn.SetPongHandler(alive)
	if alive("") != nil {
		return
	}
	for {
		if _, _, err := c.conn.ReadMessage(); err != nil {
			return
		}
	}
}

func (c *client) writePump() {
	ticker := time.NewTicker(pingPeriod)
	defer func() {
		ticker.Stop()
		_ = c.conn.Close()
	}()
	for {
		var err error
		select {
		case message, ok := <-c.send:
			if !ok {
				return
			}
			err = c.write(message)
		case <-ticker.C:
			err = c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait))
		}
		if err != nil {
			return
		}
	}
}

func (c *client) write(message []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	if !c.hub.join {
		return c.conn.WriteMessage(websocket.TextMessage, message)
	}
	return c.writeJoined(message)
}

func (c *client) writeJoined(message []byte) error {
	w, err := c.conn.NextWriter(websocket.TextMessage)
	if err != nil {
		return err
	}
	if _, err := w.Write(message); err != nil {
		return err
	}
	for range len(c.send) {
		if _, err := w.Write(append([]byte{'\n'}, <-c.send...)); err != nil {
			return err
		}
	}
	return w.Close()
}

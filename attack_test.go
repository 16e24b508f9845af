package realtime_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
)

// attack is what a client does to harm a server, and how it is ended.
type attack struct {
	name string
	// octets returns what is written again and again until the server has
	// closed, or so many rounds have passed.
	octets func(round int) []byte
	rounds int
	reads  bool // the client reads what it gets
	code   realtime.CloseCode

	compressed bool
	rate       float64
}

var attacks = []attack{
	{"pings", repeated(maskedFrame(socket.OpPing, "p")), 4000, true, 4013, false, 50},
	{"commands", repeated(maskedFrame(socket.OpText, `{"action":"ping"}`)), 4000, true, 4013, false, 50},
	{"commands, unread", repeated(maskedFrame(socket.OpText, `{"action":"ping"}`)), 4000, false, 4013, false, 50},
	{"subscriptions", func(round int) []byte {
		return maskedFrame(socket.OpText, fmt.Sprintf(`{"action":"subscribe","topic":"attack:%d","ref":%d}`, round, round))
	}, 4000, true, 4505, false, -1},
	{"subscribing and unsubscribing", func(round int) []byte {
		return maskedFrame(socket.OpText, fmt.Sprintf(`{"action":"%ssubscribe","topic":"attack","ref":1}`, []string{"", "un"}[round%2]))
	}, 4000, true, 4013, false, 50},
	{"rubbish", repeated(maskedFrame(socket.OpText, `{"action":`)), 4000, true, 4013, false, 50},
	{"fragments without end", fragments(strings.Repeat("x", 1000)), 4000, true, 1009, false, 50},
	{"empty fragments without end", fragments(""), 100_000, true, 4013, false, 50},
	{"pongs", repeated(maskedFrame(socket.OpPong, "p")), 4000, true, 4013, false, 50},
	{"a huge message", repeated([]byte{0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}), 1, true, 1009, false, 50},
	{"a bomb", repeated(bomb()), 1, true, 1009, true, 50},
}

func repeated(octets []byte) func(int) []byte { return func(int) []byte { return octets } }

// fragments begins a message and goes on with it.
func fragments(payload string) func(int) []byte {
	frame := maskedFrame(socket.OpText, payload)
	frame[0] &^= 0x80
	next := slices.Clone(frame)
	next[0] &^= 0x0f
	return func(round int) []byte {
		if round == 0 {
			return frame
		}
		return next
	}
}

// bomb is a frame of some 60 KiB that inflates to 60 MiB.
func bomb() []byte {
	deflated := socket.AppendDeflatedFrame(nil, socket.OpText, make([]byte, 60<<20))
	header, _, _ := socket.FrameLen(deflated)
	frame := append([]byte{deflated[0], deflated[1] | 0x80}, deflated[2:header]...)
	return append(append(frame, 0, 0, 0, 0), deflated[header:]...)
}

// TestAttacks has ten clients do each attack at once. They are closed with the
// code that says why, and counted; memory stays flat, and a neighbour goes on to
// get its messages. How soon it gets them is for `make soak`.
func TestAttacks(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) { a.run(t) })
	}
}

func (a attack) run(t *testing.T) {
	const attackers, heapBound = 10, 24 << 20
	s := start(t, realtime.Options{Limits: realtime.Limits{MessageRate: a.rate, MessageBurst: 1000}}, realtime.HandlerOptions{Compression: a.compressed})
	neighbour := s.dial(t, user("neighbour"))
	before := heap()

	var running sync.WaitGroup
	for range attackers {
		running.Go(func() { a.attack(t, s) })
	}
	over := make(chan struct{})
	go func() { running.Wait(); close(over) }()

	var most uint64
	for n, going := 0, true; going || n < 20; n++ {
		select {
		case <-over:
			going = false
		default:
		}
		publishNumber(t, s.Service, realtime.User("neighbour"), n)
		neighbour.wants("n")
		if n%64 == 0 {
			most = max(most, heap())
		}
	}
	if most > before+heapBound {
		t.Errorf("the heap grew from %d to %d MiB", before>>20, most>>20)
	}
	if counted := disconnects(t, s, a.code); counted != attackers {
		t.Errorf("%d of %d attackers are counted with %d", counted, attackers, a.code)
	}
	neighbour.wantsNothing()
}

// attack is one client's attack.
func (a attack) attack(t *testing.T, s *server) {
	r := upgrading("/?token="+token(t, claims{"sub": "attacker", "topics": []string{"attack*"}}), "Sec-WebSocket-Extensions", "permessage-deflate; client_no_context_takeover; server_no_context_takeover")
	conn, err := net.Dial("tcp", s.web.Listener.Addr().String())
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close() }()
	if err := r.Write(conn); err != nil {
		t.Error(err)
		return
	}
	ended := make(chan realtime.CloseCode, 1)
	read := func() { ended <- closeCode(conn) }
	if a.reads {
		go read()
	}
	var batch []byte
	for round := range a.rounds {
		if batch = append(batch, a.octets(round)...); len(batch) < 4<<10 && round < a.rounds-1 {
			continue
		}
		if _, err := conn.Write(batch); err != nil {
			break
		}
		batch = batch[:0]
	}
	if !a.reads {
		go read()
	}
	if code := <-ended; code != a.code && code != 1006 {
		t.Errorf("closed with %d, want %d", code, a.code)
	}
}

// closeCode reads until the end. 1006 stands for a reset under what was still on
// its way to the server.
func closeCode(conn net.Conn) realtime.CloseCode {
	input := bufio.NewReader(conn)
	if _, err := http.ReadResponse(input, nil); err != nil {
		return 1006
	}
	var reader socket.Reader
	buf := make([]byte, 16<<10)
	for {
		n, err := input.Read(buf)
		if err != nil {
			return 1006
		}
		for rest := buf[:n]; ; {
			var event socket.Event
			if event, rest, err = reader.Next(&clientSide, true, rest); err != nil {
				return 1002
			}
			if event.Kind == socket.Close {
				return realtime.CloseCode(event.Code)
			}
			if event.Kind == socket.None {
				break
			}
		}
	}
}

// disconnects returns how many connections were closed with a code.
func disconnects(t *testing.T, s *server, code realtime.CloseCode) int {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.Collector())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "realtime_disconnects_total" && m.GetLabel()[0].GetValue() == fmt.Sprint(code) {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func maskedFrame(op socket.Opcode, payload string) []byte {
	return socket.AppendMaskedFrame(nil, op, []byte(payload), [4]byte{1, 2, 3, 4})
}

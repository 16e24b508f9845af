package socket

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestGroup1Framing(t *testing.T) {
	var table []stimulus
	for _, n := range []int{0, 1, 15, 16, 17, 125, 126, 127, 128, 65535, 65536} {
		text, binary := strings.Repeat("*", n), strings.Repeat("\xFE", n)
		table = append(table,
			stimulus{
				name: fmt.Sprint("text ", n), frames: frames(fin(OpText, text)),
				want: want(describe(Event{Kind: Message, Op: OpText, Data: []byte(text)})),
			},
			stimulus{
				name: fmt.Sprint("binary ", n), frames: frames(fin(OpBinary, binary), fin(OpText, "next")),
				want: want(describe(Event{Kind: Message, Op: OpBinary, Data: []byte(binary)}), `text "next"`),
			})
	}
	runAll(t, table)
}

func TestGroup2Pings(t *testing.T) {
	body := strings.Repeat("p", 125)
	ten, tenPings := [][]byte{}, []string{}
	for i := range 10 {
		ten = append(ten, fin(OpPing, fmt.Sprint("payload-", i)))
		tenPings = append(tenPings, fmt.Sprintf("ping %q", fmt.Sprint("payload-", i)))
	}
	runAll(t, []stimulus{
		{name: "empty", frames: frames(fin(OpPing, "")), want: want(`ping ""`)},
		{name: "text", frames: frames(fin(OpPing, "hi")), want: want(`ping "hi"`)},
		{name: "binary", frames: frames(fin(OpPing, "\x00\xFF\xFE")), want: want(`ping "\x00\xff\xfe"`)},
		{name: "125 octets", frames: frames(fin(OpPing, body)), want: want(fmt.Sprintf("ping %q", body))},
		{name: "126 octets", frames: frames(fin(OpPing, body+"p")), want: want("fail 1002")},
		{name: "pong of 126 octets", frames: frames(fin(OpPong, body+"p")), want: want("fail 1002")},
		{name: "pong unsolicited", frames: frames(fin(OpPong, ""), fin(OpPong, "x")), want: want(`pong ""`, `pong "x"`)},
		{name: "pong then ping", frames: frames(fin(OpPong, "x"), fin(OpPing, "y")), want: want(`pong "x"`, `ping "y"`)},
		{name: "ten", frames: ten, want: tenPings},
	})
}

func TestGroup3ReservedBits(t *testing.T) {
	var table []stimulus
	for rsv := byte(1); rsv < 8; rsv++ {
		for _, op := range []Opcode{OpText, OpBinary, OpPing, OpPong, OpClose} {
			first := bitFIN | rsv<<4 | byte(op)
			table = append(table, stimulus{
				name:   fmt.Sprintf("rsv %d opcode %d", rsv, op),
				frames: frames(fin(OpText, "good"), raw(first, []byte("bad")), fin(OpPing, "")),
				want:   want(`text "good"`, "fail 1002"),
			})
			if rsv == 4 && !op.control() {
				continue
			}
			table = append(table, stimulus{
				name:   fmt.Sprintf("rsv %d opcode %d with deflate", rsv, op),
				frames: frames(raw(first, nil)), deflate: true,
				want: want("fail 1002"),
			})
		}
	}
	table = append(table, stimulus{
		name: "rsv 1 on a continuation with deflate", deflate: true,
		frames: frames(part(OpText, "a"), raw(bitFIN|bitRSV1, []byte("b"))),
		want:   want("fail 1002"),
	})
	runAll(t, table)
}

func TestGroup4Opcodes(t *testing.T) {
	var table []stimulus
	for _, op := range []Opcode{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		for _, payload := range []string{"", "payload"} {
			table = append(table, stimulus{
				name:   fmt.Sprintf("opcode %d payload %q", op, payload),
				frames: frames(fin(OpText, "good"), fin(op, payload), fin(OpPing, "")),
				want:   want(`text "good"`, "fail 1002"),
			})
		}
	}
	runAll(t, table)
}

func TestGroup5Fragments(t *testing.T) {
	runAll(t, []stimulus{
		{name: "fragmented ping", frames: frames(part(OpPing, "a"), fin(OpContinuation, "b")), want: want("fail 1002")},
		{name: "fragmented pong", frames: frames(part(OpPong, "a"), fin(OpContinuation, "b")), want: want("fail 1002")},
		{name: "fragmented close", frames: frames(part(OpClose, "")), want: want("fail 1002")},
		{name: "two", frames: frames(part(OpText, "frag"), fin(OpContinuation, "ment")), want: want(`text "fragment"`)},
		{name: "two binary", frames: frames(part(OpBinary, "\xFF"), fin(OpContinuation, "\xFE")), want: want(`binary "\xff\xfe"`)},
		{
			name:   "ping between",
			frames: frames(part(OpText, "frag"), fin(OpPing, "now"), fin(OpContinuation, "ment")),
			want:   want(`ping "now"`, `text "fragment"`),
		},
		{
			name: "five with pings and pongs between",
			frames: frames(part(OpText, "1"), part(OpContinuation, "2"), fin(OpPing, "p1"), part(OpContinuation, "3"),
				fin(OpPong, "p2"), part(OpContinuation, "4"), fin(OpPing, ""), fin(OpContinuation, "5"), fin(OpText, "6")),
			want: want(`ping "p1"`, `pong "p2"`, `ping ""`, `text "12345"`, `text "6"`),
		},
		{name: "last one empty", frames: frames(part(OpText, "a"), fin(OpContinuation, "")), want: want(`text "a"`)},
		{name: "stray last", frames: frames(fin(OpContinuation, "a"), fin(OpText, "b")), want: want("fail 1002")},
		{name: "stray first", frames: frames(part(OpContinuation, "a"), fin(OpText, "b")), want: want("fail 1002")},
		{
			name:   "stray after a message",
			frames: frames(part(OpText, "a"), fin(OpContinuation, "b"), fin(OpContinuation, "c")),
			want:   want(`text "ab"`, "fail 1002"),
		},
		{
			name:   "stray, not last, after a message",
			frames: frames(fin(OpText, "a"), part(OpContinuation, "c"), fin(OpText, "d")),
			want:   want(`text "a"`, "fail 1002"),
		},
		{name: "text inside", frames: frames(part(OpText, "a"), fin(OpText, "b")), want: want("fail 1002")},
		{name: "binary inside, not last", frames: frames(part(OpText, "a"), part(OpBinary, "b")), want: want("fail 1002")},
		{
			name:   "text inside, after a ping",
			frames: frames(part(OpText, "a"), fin(OpPing, "p"), fin(OpText, "b")),
			want:   want(`ping "p"`, "fail 1002"),
		},
	})
}

func TestGroup7Close(t *testing.T) {
	reason := strings.Repeat("r", 123)
	table := []stimulus{
		{name: "then text", frames: frames(closing(1000, ""), fin(OpText, "x")), want: want(`close 1000 ""`)},
		{name: "then ping", frames: frames(closing(1000, ""), fin(OpPing, "x")), want: want(`close 1000 ""`)},
		{name: "then close", frames: frames(closing(1000, "a"), closing(1001, "b")), want: want(`close 1000 "a"`)},
		{name: "then garbage", frames: frames(closing(1000, ""), []byte("\xFF\xFF\xFF\xFF")), want: want(`close 1000 ""`)},
		{
			name:   "inside a message",
			frames: frames(part(OpText, "a"), closing(1000, ""), fin(OpContinuation, "b")),
			want:   want(`close 1000 ""`),
		},
		{name: "empty", frames: frames(fin(OpClose, "")), want: want(`close 1005 ""`)},
		{name: "one octet", frames: frames(fin(OpClose, "\x03")), want: want("fail 1002")},
		{name: "reason", frames: frames(closing(1000, "häh")), want: want(`close 1000 "häh"`)},
		{name: "reason of 123", frames: frames(closing(1000, reason)), want: want(fmt.Sprintf("close 1000 %q", reason))},
		{name: "reason of 124", frames: frames(closing(1000, reason+"r")), want: want("fail 1002")},
		{name: "reason not UTF-8", frames: frames(closing(1000, "a\xED\xA0\x80b")), want: want("fail 1007")},
		{name: "reason cut in a rune", frames: frames(closing(1000, "a\xC3")), want: want("fail 1007")},
	}
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		table = append(table, stimulus{
			name: fmt.Sprint("code ", code), frames: frames(closing(code, "")), want: want(fmt.Sprintf(`close %d ""`, code)),
		})
	}
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		table = append(table, stimulus{
			name: fmt.Sprint("code ", code), frames: frames(closing(code, "why"), fin(OpText, "x")), want: want("fail 1002"),
		})
	}
	runAll(t, table)
}

func TestGroup9Limits(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	payload := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	wanted := want(describe(Event{Kind: Message, Op: OpText, Data: payload}))
	for _, fragment := range []int{64, 4096, 65536, size} {
		var all []byte
		for i, piece := range chop(payload, fragment) {
			first := byte(OpContinuation)
			if i == 0 {
				first = byte(OpText)
			}
			if (i+1)*fragment == size {
				first |= bitFIN
			}
			all = append(all, raw(first, piece)...)
		}
		for _, n := range []int{64, 1000, 2048, 65536, len(all)} {
			got := feed(t, Config{MaxMessage: size}, false, chop(all, n))
			if len(got) != 1 || got[0] != wanted[0] {
				t.Errorf("fragments of %d in chops of %d: got %q", fragment, n, got)
			}
		}
	}
}

func TestGroup9SixteenMegabytes(t *testing.T) {
	t.Parallel()
	const size = 16 << 20
	payload := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	wanted := describe(Event{Kind: Message, Op: OpBinary, Data: payload})
	frame := raw(bitFIN|byte(OpBinary), payload)
	for _, n := range []int{65536, len(frame)} {
		if got := feed(t, Config{MaxMessage: size}, false, chop(frame, n)); len(got) != 1 || got[0] != wanted {
			t.Errorf("in chops of %d: got %q", n, got)
		}
	}
}

func TestGroup10AutoFragment(t *testing.T) {
	payload := strings.Repeat("auto", 16384)
	var split [][]byte
	for i, piece := range chop([]byte(payload), 1300) {
		first := byte(OpContinuation)
		if i == 0 {
			first = byte(OpText)
		}
		if (i+1)*1300 >= len(payload) {
			first |= bitFIN
		}
		split = append(split, raw(first, piece))
	}
	runAll(t, []stimulus{{
		name: "65536 by 1300", frames: split,
		want: want(describe(Event{Kind: Message, Op: OpText, Data: []byte(payload)})),
	}})
}

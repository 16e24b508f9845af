package wire_test

import (
	"testing"
	"time"

	"boundary-app.org/realtime/wire"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	yes := true
	for _, c := range []struct {
		got  []byte
		want string
	}{
		{
			wire.Connected{ConnectionID: "c", UserID: "ü\"", Roles: []string{"a", "b"}, ExpiresAt: now, PingInterval: 25 * time.Second}.Encode(),
			`{"type":"$connected","connectionId":"c","userId":"ü\"","roles":["a","b"],"expiresAt":"2026-01-02T02:04:05.678Z","pingInterval":25000}`,
		},
		{
			wire.Connected{}.Encode(),
			`{"type":"$connected","connectionId":"","userId":"","roles":[],"expiresAt":null,"pingInterval":0}`,
		},
		{wire.Reply{}.Encode(), `{"type":"$reply","ok":true}`},
		{
			wire.Reply{Ref: []byte(`"a"`), Topic: "t", Recoverable: &yes}.Encode(),
			`{"type":"$reply","ref":"a","ok":true,"topic":"t","recoverable":true}`,
		},
		{
			wire.Reply{Ref: []byte(`1`), Err: &wire.CommandError{Code: wire.CodeForbidden, Message: "no"}}.Encode(),
			`{"type":"$reply","ref":1,"ok":false,"error":{"code":"forbidden","message":"no"}}`,
		},
		{
			wire.Closing{Reason: "drain", ReconnectAfter: 1500 * time.Millisecond}.Encode(),
			`{"type":"$closing","reason":"drain","reconnectAfter":1500}`,
		},
	} {
		if string(c.got) != c.want {
			t.Errorf("got %s\nwant %s", c.got, c.want)
		}
	}
}

func TestCloseCodes(t *testing.T) {
	t.Parallel()
	for code := range wire.CloseCode(5100) {
		sendable := code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
		if code.Valid() != sendable {
			t.Errorf("%d: Valid = %v", code, code.Valid())
		}
		if code >= 4000 && code <= 4999 && code.Reconnect() != (code < 4500) {
			t.Errorf("%d: Reconnect = %v", code, code.Reconnect())
		}
	}
	for code, want := range map[wire.CloseCode]bool{
		1000: false, 1001: true, 1002: false, 1003: false, 1006: true, 1007: false, 1008: false, 1009: false,
		1011: true, 1012: true, 1013: true, 3000: false,
	} {
		if code.Reconnect() != want {
			t.Errorf("%d: Reconnect = %v, want %v", code, !want, want)
		}
	}
}

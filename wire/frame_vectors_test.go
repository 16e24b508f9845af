package wire_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"testing"
	"time"

	"boundary-app.org/realtime/wire"
)

// frameVector is what a client reads from a frame, see testdata/protocol/frames.json.
type frameVector struct {
	Kind           string    `json:"kind"`
	Type           string    `json:"type"`
	ConnectionID   string    `json:"connectionId"`
	UserID         string    `json:"userId"`
	Roles          []string  `json:"roles"`
	ExpiresAt      time.Time `json:"expiresAt"`
	PingInterval   int64     `json:"pingInterval"`
	Ref            any       `json:"ref"`
	OK             bool      `json:"ok"`
	Code           string    `json:"code"`
	Topic          string    `json:"topic"`
	Recoverable    *bool     `json:"recoverable"`
	Unsubscribed   []string  `json:"unsubscribed"`
	Reason         string    `json:"reason"`
	ReconnectAfter int64     `json:"reconnectAfter"`
	Payload        any       `json:"payload"`
	Timestamp      time.Time `json:"timestamp"`
}

func vectorOf(frame wire.Frame) (v frameVector) {
	switch f := frame.(type) {
	case nil:
		v = frameVector{Kind: "invalid"}
	case wire.Connected:
		v = frameVector{Kind: "connected", ConnectionID: f.ConnectionID, UserID: f.UserID, Roles: f.Roles, ExpiresAt: f.ExpiresAt, PingInterval: f.PingInterval.Milliseconds()}
	case wire.Reply:
		v = frameVector{Kind: "reply", OK: f.Err == nil, Topic: f.Topic, Recoverable: f.Recoverable, ExpiresAt: f.ExpiresAt, Unsubscribed: f.Ended}
		_ = json.Unmarshal(f.Ref, &v.Ref)
		if f.Err != nil {
			v.Code = f.Err.Code
		}
	case wire.Closing:
		v = frameVector{Kind: "closing", Reason: f.Reason, ReconnectAfter: f.ReconnectAfter.Milliseconds()}
	case wire.ServerPing:
		v = frameVector{Kind: "ping"}
	case wire.UnknownFrame:
		v = frameVector{Kind: "unknown", Type: f.Type}
	case wire.Delivery:
		v = frameVector{Kind: "message", Type: f.Type, Topic: f.Topic, Timestamp: f.Timestamp}
		_ = json.Unmarshal(f.Payload, &v.Payload)
	}
	return v
}

func frameVectors(t testing.TB) (texts []string, want []frameVector) {
	t.Helper()
	data, err := os.ReadFile("../testdata/protocol/frames.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Text string `json:"text"`
			frameVector
		} `json:"vectors"`
	}
	if err := json.Unmarshal(data, &file); err != nil || len(file.Vectors) < 30 {
		t.Fatal(len(file.Vectors), err)
	}
	for _, v := range file.Vectors {
		texts, want = append(texts, v.Text), append(want, v.frameVector)
	}
	return texts, want
}

func TestFrameVectors(t *testing.T) {
	t.Parallel()
	texts, want := frameVectors(t)
	for i, text := range texts {
		frame, err := wire.DecodeFrame([]byte(text))
		if got := vectorOf(frame); !reflect.DeepEqual(got, want[i]) || (frame == nil) != errors.Is(err, wire.ErrInvalidFrame) {
			t.Errorf("%s\n got %+v, %v\nwant %+v", text, got, err, want[i])
		}
	}
}

// No text makes the decoder panic, and what it returns comes back from its encoding.
func FuzzFrame(f *testing.F) {
	texts, _ := frameVectors(f)
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		frame, err := wire.DecodeFrame(text)
		if err != nil {
			if frame != nil || !errors.Is(err, wire.ErrInvalidFrame) {
				t.Fatalf("%q: %#v, %v", text, frame, err)
			}
			return
		}
		var encoded []byte
		switch f := frame.(type) {
		case wire.Connected:
			f.ExpiresAt = f.ExpiresAt.Truncate(time.Millisecond)
			frame, encoded = f, f.Encode()
		case wire.Reply:
			f.ExpiresAt = f.ExpiresAt.Truncate(time.Millisecond)
			frame, encoded = f, f.Encode()
		case wire.Closing:
			encoded = f.Encode()
		case wire.ServerPing:
			encoded = f.Encode()
		default:
			return
		}
		if back, err := wire.DecodeFrame(encoded); err != nil || !reflect.DeepEqual(back, frame) {
			t.Fatalf("%q: %#v came back as %#v, %v", text, frame, back, err)
		}
	})
}

// A message comes back from its encoding, with the topic it was published to.
func FuzzDelivery(f *testing.F) {
	f.Add("a", []byte(`{"x":[1]}`), int64(1_700_000_000_123), "order:1")
	f.Fuzz(func(t *testing.T, kind string, payload []byte, milliseconds int64, topic string) {
		sent := time.UnixMilli(milliseconds).UTC()
		if year := sent.Year(); year < 1 || year > 9999 || sent.IsZero() {
			return
		}
		m := wire.Message{Type: kind, Payload: json.RawMessage(payload), Timestamp: sent}
		text, err := m.Encode(now)
		if err != nil || wire.CheckTopic(topic) != nil {
			return
		}
		text = deliveredTo(topic, text)
		frame, err := wire.DecodeFrame(text)
		want := wire.Delivery{Type: kind, Topic: topic, Payload: trim(payload), Timestamp: sent, Text: text}
		if err != nil || !reflect.DeepEqual(frame, want) {
			t.Fatalf("%q: %#v, %v; want %#v", text, frame, err, want)
		}
	})
}

func trim(payload []byte) json.RawMessage {
	var raw json.RawMessage
	_ = json.Unmarshal(payload, &raw)
	return raw
}

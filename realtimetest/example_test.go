package realtimetest_test

import (
	"context"
	"fmt"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/realtimetest"
)

// shop stands for an application.
type shop struct{ push *realtime.Service }

func (s *shop) ship(ctx context.Context, order, buyer string) error {
	_, err := s.push.SendToUser(ctx, buyer, realtime.Message{Type: "order-shipped", Payload: order})
	return err
}

// A test of the application: the buyer hears that the order was shipped.
func ExampleNewServer() {
	testShop := func(t *testing.T) {
		s := realtimetest.NewServer(t, realtime.Options{}, realtime.HandlerOptions{})
		buyer := s.Dial(t, realtime.Identity{UserID: "u1"})
		_ = (&shop{s.Service}).ship(t.Context(), "order:123", "u1")
		messages, err := buyer.Wait(t.Context(), 1)
		if err != nil || messages[0].Type != "order-shipped" {
			t.Errorf("the buyer heard %v (%v)", messages, err)
		}
	}
	_ = testShop // go test calls it
}

func ExampleVerifier() {
	verifier := realtimetest.Verifier("good-token", realtime.Identity{UserID: "u1", Roles: []string{"admin"}})
	id, err := verifier.Verify(context.Background(), "good-token")
	fmt.Println(id.UserID, id.Roles, err)
	_, err = verifier.Verify(context.Background(), "another")
	fmt.Println(err)
	// Output:
	// u1 [admin] <nil>
	// auth: token refused: signature
}

func ExampleRecorder() {
	svc, err := realtime.New(realtime.Options{Verifier: realtimetest.Verifier("t", realtime.Identity{UserID: "u1"})})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	var client realtimetest.Recorder
	if _, err := svc.Connect(ctx, &client, realtime.ConnectOptions{Token: "t"}); err != nil {
		fmt.Println(err)
		return
	}
	receipt, _ := svc.SendToUser(ctx, "u1", realtime.Message{Type: "notification", Payload: "hello"})
	messages, _ := client.Wait(ctx, 1)
	fmt.Println(receipt.Recipients, messages[0].Type, string(messages[0].Payload))
	_ = svc.Shutdown(ctx)
	code, _, _ := client.Closed()
	fmt.Println(code)
	// Output:
	// 1 notification "hello"
	// 1012
}

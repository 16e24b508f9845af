package realtime_test

import (
	"context"
	"fmt"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/realtimetest"
)

// exampleService is a service, and a client of user u1 who is an admin.
func exampleService(opts realtime.HandlerOptions) (*realtime.Service, *realtime.Conn, *realtimetest.Recorder) {
	svc, err := realtime.New(realtime.Options{Log: discard()})
	if err != nil {
		panic(err)
	}
	client := &realtimetest.Recorder{}
	conn, err := svc.Connect(context.Background(), client, realtime.ConnectOptions{
		Identity: &realtime.Identity{UserID: "u1", Roles: []string{"admin"}}, HandlerOptions: opts,
	})
	if err != nil {
		panic(err)
	}
	return svc, conn, client
}

// The five addresses: a user, a role, a connection, a topic, everyone.
func ExampleService_Send() {
	ctx := context.Background()
	svc, conn, client := exampleService(realtime.HandlerOptions{})
	_ = conn.Subscribe("orders")
	m := realtime.Message{Type: "notification"}
	for _, send := range []func() (realtime.Receipt, error){
		func() (realtime.Receipt, error) { return svc.SendToUser(ctx, "u1", m) },
		func() (realtime.Receipt, error) { return svc.SendToRole(ctx, "admin", m) },
		func() (realtime.Receipt, error) { return svc.SendToConnection(ctx, conn.ID(), m) },
		func() (realtime.Receipt, error) { return svc.PublishToTopic(ctx, "orders", m) },
		func() (realtime.Receipt, error) { return svc.Broadcast(ctx, m) },
		func() (realtime.Receipt, error) { return svc.Send(ctx, realtime.User("nobody"), m) },
	} {
		receipt, err := send()
		fmt.Print(receipt.Recipients, " ", err, "; ")
	}
	messages, _ := client.Wait(ctx, 5)
	fmt.Println(len(messages), "messages")
	_ = svc.Shutdown(ctx)
	// Output:
	// 1 <nil>; 1 <nil>; 1 <nil>; 1 <nil>; 1 <nil>; 0 <nil>; 5 messages
}

// An application's own transport, such as a long poll or a queue: a type with Send and
// Close. What its client sends is brought with Receive and ReceiveBinary.
func ExampleService_Connect() {
	ctx := context.Background()
	svc, conn, client := exampleService(realtime.HandlerOptions{
		OnMessage: func(_ context.Context, c *realtime.Conn, data []byte) { _ = c.Write(data) },
		OnBinary:  func(_ context.Context, c *realtime.Conn, data []byte) { _ = c.WriteBinary(data) },
	})
	_ = conn.Receive(ctx, []byte("text"))
	_ = conn.ReceiveBinary(ctx, []byte("bytes"))
	frames, _ := client.WaitFrames(ctx, 3)
	fmt.Println(frames[0].Type, string(frames[1].Text), string(frames[2].Text))
	conn.Close(realtime.CloseNormal, "bye")
	code, reason, _ := client.WaitClosed(ctx)
	fmt.Println(code, reason)
	_ = svc.Shutdown(ctx)
	// Output:
	// $connected text bytes
	// 1000 bye
}

// OnOpen refuses a connection; its client is closed with the code, and stops.
func ExampleRefuse() {
	ctx := context.Background()
	svc, _, _ := exampleService(realtime.HandlerOptions{})
	client := &realtimetest.Recorder{}
	_, err := svc.Connect(ctx, client, realtime.ConnectOptions{
		Identity: &realtime.Identity{UserID: "u2"},
		HandlerOptions: realtime.HandlerOptions{
			OnOpen: func(_ context.Context, c *realtime.Conn) error {
				if c.UserID() != "u1" {
					return realtime.Refuse(realtime.CloseForbidden, "this is the room of u1")
				}
				return nil
			},
		},
	})
	code, reason, _ := client.WaitClosed(ctx)
	fmt.Println(code, reason)
	fmt.Println(err)
	_ = svc.Shutdown(ctx)
	// Output:
	// 4507 this is the room of u1
	// realtime: connect: realtime: the application refuses the connection: 4507 this is the room of u1
}

// The code says why a connection has ended.
func ExampleCloseCode() {
	why := func(code realtime.CloseCode) string {
		switch code {
		case realtime.CloseTokenExpired:
			return "the client did not refresh its token"
		case realtime.CloseNoPong, realtime.CloseTooSlow:
			return "the client or its network is gone"
		}
		return fmt.Sprint("code ", code)
	}
	fmt.Println(why(realtime.CloseTokenExpired))
	fmt.Println(why(realtime.CloseKicked), realtime.CloseKicked.Reconnect(), realtime.CloseDrain.Reconnect())
	// Output:
	// the client did not refresh its token
	// code 4503 false true
}

// Command library is a web application with live notifications: everybody who
// connects hears about the orders of the shop, and POST /orders tells them.
//
//	go run ./examples/library
//	curl -X POST http://127.0.0.1:8090/orders/123
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
)

const address = "127.0.0.1:8090"

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	secret := []byte("only for this example: 32 bytes!")
	verifier, err := auth.New(auth.Options{HMACSecret: secret})
	if err != nil {
		return err
	}
	svc, err := realtime.New(realtime.Options{Verifier: verifier})
	if err != nil {
		return err
	}
	token, err := auth.Mint(secret, map[string]any{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		return err
	}
	fmt.Printf("connect to ws://%s/ws?token=%s\n", address, token)
	return serve(svc, &http.Server{Addr: address, Handler: routes(svc), ReadHeaderTimeout: 5 * time.Second})
}

func routes(svc *realtime.Service) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /ws", svc.Handler(realtime.HandlerOptions{
		OnOpen: func(_ context.Context, c *realtime.Conn) error { return c.Subscribe("orders") },
	}))
	mux.HandleFunc("POST /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		receipt, err := svc.PublishToTopic(r.Context(), "orders", realtime.Message{
			Type:    "order-created",
			Payload: map[string]string{"id": r.PathValue("id")},
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "%d connections were told\n", receipt.Recipients)
	})
	return mux
}

// serve runs until the program is told to end, and then drains: clients are told
// to reconnect before the HTTP server stops.
func serve(svc *realtime.Service, server *http.Server) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return errors.Join(svc.Shutdown(drain), server.Shutdown(drain))
}

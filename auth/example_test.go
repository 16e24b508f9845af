package auth_test

import (
	"context"
	"fmt"
	"time"

	"boundary-app.org/realtime/auth"
)

func Example() {
	secret := []byte("32 random bytes, from a file....")
	verifier, err := auth.New(auth.Options{HMACSecret: secret, Audience: "chat"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer verifier.Close()

	token, err := auth.Mint(secret, map[string]any{
		"sub": "u1", "aud": "chat", "roles": []string{"editor"}, "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := verifier.Verify(context.Background(), token)
	if err != nil {
		fmt.Println(auth.ReasonOf(err))
		return
	}
	fmt.Println(id.UserID, id.Roles)

	_, err = verifier.Verify(context.Background(), token+"x")
	fmt.Println(auth.ReasonOf(err))
	// Output:
	// u1 [editor]
	// signature
}

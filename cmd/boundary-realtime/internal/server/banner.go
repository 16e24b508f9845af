package server

import (
	"fmt"
	"io"
	"time"
)

// The user and role of the link in the banner.
const (
	devUser = "alice"
	devRole = "user"
)

// WriteBanner writes the URL of the page and the API key, for a developer.
func (s *Server) WriteBanner(w io.Writer) error {
	token, err := s.dev.token(devUser, []string{devRole}, []string{anyTopic}, time.Now())
	if err != nil {
		return fmt.Errorf("banner: %w", err)
	}
	url := s.public.url()
	_, err = fmt.Fprintf(w, `
  boundary-realtime in DEV MODE: not for production, everyone on this machine can get a token

  Open this page (it is %s, with the role %s):

    %s/#token=%s

  API key: %s

  Send %[1]s a message from another terminal:

    curl -sS %[3]s/v1/users/%[1]s/messages -H 'Authorization: Bearer %[5]s' -H 'Content-Type: application/json' -d '{"type":"hello","payload":{"text":"Hello, %[1]s!"}}'

  Ctrl-C ends it.

`, devUser, devRole, url, token, s.dev.apiKey)
	if err != nil {
		return fmt.Errorf("banner: %w", err)
	}
	return nil
}

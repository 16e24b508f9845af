package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

const (
	refreshEvery = 5 * time.Minute
	coolDown     = 30 * time.Second // between fetches for unknown keys
	firstRetry   = time.Second      // doubles up to coolDown
	fetchTimeout = 2 * time.Second
	maxKeySet    = 64 << 10 // bytes
)

// jwks fetches the issuer's key set (RFC 7517) again and again. One fetch runs at a time
// in its own goroutine, so that it continues for other callers when one gives up. A
// successful fetch replaces the set; a failed one keeps it.
type jwks struct {
	// static after construction
	url    string
	host   string // the part of the URL that may be logged
	alg    string
	client *http.Client
	log    *slog.Logger

	// replaced by fetches, read without lock
	set atomic.Pointer[keySet] // nil: none was fetched, and there was no Previous

	// guarded by mu
	mu       sync.Mutex
	fetching chan struct{} // closed when the current fetch ends; nil: none
	started  time.Time     // when the last fetch began
	looked   time.Time     // when the last successful fetch began
	failure  error         // of the last fetch
	closed   bool

	// lifetime
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func newJWKS(o Options) (*jwks, error) {
	u, err := checkURL(o.JWKSURL, o.AllowHTTP)
	if err != nil {
		return nil, err
	}
	if isExposed(u) {
		o.Log.Warn("the key set is fetched over plain http: a program that can change this traffic can forge every token; use https where the issuer offers it", "host", u.Host)
	}
	client := http.Client{}
	if o.Client != nil {
		client = *o.Client
	}
	// A redirect could lead to keys of another party.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &jwks{url: o.JWKSURL, host: u.Host, alg: o.Algorithm, client: &client, log: o.Log}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if before := o.Previous.keySource(); before != nil && before.url == s.url && before.alg == s.alg {
		s.set.Store(before.set.Load())
	}
	return s, nil
}

func checkURL(address string, allowHTTP bool) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("not an absolute URL, want https://host/path")
	case u.Scheme == "https", u.Scheme == "http" && (allowHTTP || !isExposed(u)):
		return u, nil
	case u.Scheme == "http":
		return nil, errors.New("want https, or http on loopback: keys fetched in the clear can be replaced on the way; " +
			"for an issuer behind a network that you trust, set AllowHTTP (jwks_allow_http)")
	}
	return nil, errors.New("want https, or http on loopback")
}

// isExposed reports whether others can change a key set from this URL in transit.
func isExposed(u *url.URL) bool { return u.Scheme == "http" && !isLoopback(u.Hostname()) }

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// start begins the first fetch before it returns, so that every later call of keys
// waits for it.
func (s *jwks) start() {
	first := s.begin(0)
	s.wg.Go(func() { s.run(first) })
}

// run refreshes the set until close.
func (s *jwks) run(fetch <-chan struct{}) {
	retry := firstRetry
	for fetch != nil {
		<-fetch
		wait := refreshEvery
		if s.lastFailure() != nil {
			wait, retry = retry, min(2*retry, coolDown)
		} else {
			retry = firstRetry
		}
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(wait):
			fetch = s.begin(0)
		}
	}
}

func (s *jwks) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
}

// keys returns the keys that may have signed a token. It waits for a fetch if there is
// no set yet, or no key with that id and kind in it. Such a token is refused only after
// a fetch that began after it arrived: before, its key may have just been published.
func (s *jwks) keys(ctx context.Context, h header) ([]*key, error) {
	if set := s.set.Load(); set.knows(h.kid, h.alg) {
		return set.choose(h.kid, h.alg)
	}
	arrived := time.Now()
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	looked := s.lookedSince(arrived) // before the set, which may be replaced meanwhile
	if set := s.set.Load(); looked || set.knows(h.kid, h.alg) {
		return set.choose(h.kid, h.alg)
	}
	return nil, s.unavailable()
}

// lookedSince reports whether a fetch that began at t or later succeeded.
func (s *jwks) lookedSince(t time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.looked.Before(t)
}

func (s *jwks) unavailable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return &UnavailableError{Err: detail{fmt.Errorf("fetch key set: %w", s.failure)}}
	}
	return &UnavailableError{
		RetryAfter: max(0, time.Until(s.started.Add(coolDown))),
		Err:        detail{fmt.Errorf("no key fits kid and alg of the token, and the key set was fetched less than %v ago", coolDown)},
	}
}

// refresh waits for the current fetch, or for a new one unless the last is too recent.
// Its only error is that of ctx.
func (s *jwks) refresh(ctx context.Context) error {
	fetch := s.begin(coolDown)
	if fetch == nil {
		return nil
	}
	select {
	case <-fetch:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("auth: wait for key set: %w", ctx.Err())
	}
}

// begin returns a channel that is closed when the current fetch ends. Without a current
// fetch it starts one if the last began at least minAge ago; otherwise, and after close,
// it returns nil.
func (s *jwks) begin(minAge time.Duration) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.fetching != nil || s.closed || now.Sub(s.started) < minAge {
		return s.fetching
	}
	done := make(chan struct{})
	s.fetching, s.started = done, now
	s.wg.Go(func() {
		defer close(done)
		set, err := s.fetch()
		s.finish(now, set, err)
	})
	return done
}

func (s *jwks) finish(started time.Time, set *keySet, err error) {
	if err == nil {
		s.set.Store(set)
	}
	s.mu.Lock()
	s.fetching, s.failure = nil, err
	if err == nil {
		s.looked = started
	}
	closed := s.closed
	s.mu.Unlock()
	if !closed {
		s.logFetch(set, err)
	}
}

// logFetch logs the result of a fetch.
func (s *jwks) logFetch(set *keySet, err error) {
	switch {
	case err != nil && s.set.Load() == nil:
		s.log.Warn("the key set could not be fetched; tokens that need it are refused with 503", "host", s.host, "error", err)
	case err != nil:
		s.log.Warn("the key set could not be fetched; the last one stays in use", "host", s.host, "error", err)
	case set.leaked:
		s.log.Error("the key set contains a private key, which is ignored: everyone who reads the set can sign with it; publish a new key without d",
			"host", s.host, "keys", len(set.keys), "ignored", set.ignored)
	case len(set.keys) == 0:
		s.log.Warn("the key set contains no usable key", "host", s.host, "ignored", set.ignored)
	default:
		s.log.Debug("the key set was fetched", "host", s.host, "keys", len(set.keys), "ignored", set.ignored)
	}
}

func (s *jwks) lastFailure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

func (s *jwks) fetch() (*keySet, error) {
	ctx, cancel := context.WithTimeout(s.ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, withoutURL(err)
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	request.Close = true // the next fetch is minutes away
	response, err := s.client.Do(request)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, refusedAnswer(response)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxKeySet {
		return nil, fmt.Errorf("longer than %d bytes", maxKeySet)
	}
	return parseKeySet(body, s.alg)
}

// refusedAnswer returns the error for an answer without a key set. Of the target of a
// redirect it shows only scheme and host: the rest may contain a secret.
func refusedAnswer(response *http.Response) error {
	to, err := response.Location()
	if response.StatusCode/100 != 3 || err != nil {
		return fmt.Errorf("answered %d, want 200", response.StatusCode)
	}
	return fmt.Errorf("answered %d, a redirect to %.100q, and redirects are not followed; configure its target (curl -I shows it)",
		response.StatusCode, to.Scheme+"://"+to.Host)
}

// withoutURL removes the URL from an error, since its query may contain a secret.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

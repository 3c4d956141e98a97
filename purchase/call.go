package purchase

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/netfault"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const (
	stepTime  = 30 * time.Second // for one call of a seller or a payment method
	maxAnswer = 64 << 10         // bytes of a seller's answer
	maxToken  = 8 << 10          // bytes of an access token
	maxID     = 256              // bytes of a seller's order id and of its payment reference
	maxTries  = 3                // of one call whose fate is unknown, before anyone is told
)

// errUnknown is what a call ends with that may or may not have reached the seller and been carried out there.
var errUnknown = errors.New("no whole answer")

// unknownFate gives the reason in our words: a stranger's are not to be repeated.
type unknownFate string

func (e unknownFate) Error() string   { return string(e) }
func (unknownFate) Is(err error) bool { return err == errUnknown }

// unreached is a call for which no connection could be made: the seller has seen nothing of it.
type unreached string

func (e unreached) Error() string   { return string(e) }
func (unreached) Is(err error) bool { return err == errUnknown || err == ErrUnreached }

// forbidden is a call that was not made, by a rule of our own.
type forbidden struct{ error }

func (forbidden) Is(err error) bool {
	return err == errUnknown || err == ErrUnreached || err == ErrForbidden
}

// refusal is a seller's definite no, or an answer that can't be used.
type refusal string

func (e refusal) Error() string   { return string(e) }
func (refusal) Is(err error) bool { return err == ErrRefused }

// errVoid is a whole answer to a complete that is no grant. The seller remembers it, and would give it again.
var errVoid = errors.New("an answer without a token")

type voidGrant string

func (e voidGrant) Error() string   { return string(e) }
func (voidGrant) Is(err error) bool { return err == ErrRefused || err == errVoid }

// call is a question to a seller, asked under the purchase's idempotency key.
type call struct {
	*Want
	path, key string
	header    http.Header // beside the protocol's own
	time      time.Duration
	read      func(status int, body []byte, whole bool) error // says what an answer is, if it is none
	answered  http.Header                                     // of the answer that once has given
}

// once asks once. The error is an unknownFate, a refusal, or that of ctx.
func (c *call) once(ctx context.Context, body []byte) ([]byte, error) {
	step, cancel := context.WithTimeout(ctx, c.time)
	defer cancel()
	r, err := http.NewRequestWithContext(step, http.MethodPost, wire.URL(strings.TrimRight(c.BaseURL, "/"), c.path, c.Query), bytes.NewReader(body))
	if err != nil {
		return nil, refusal("the seller's URL can't be used")
	}
	r.Header = http.Header{
		"Content-Type":            {"application/json"},
		"Accept":                  {"application/json"},
		"Accept-Encoding":         {"identity"},
		wire.HeaderIdempotencyKey: {c.key},
	}
	present(r.Header, c.header)
	var connected atomic.Bool // TLS included
	r = r.WithContext(httptrace.WithClientTrace(step, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}))
	answer, err := c.Transport.RoundTrip(r)
	if err != nil {
		if rule, ok := netfault.Rule(err); ok {
			return nil, forbidden{rule}
		}
		if !connected.Load() && step.Err() == nil {
			return nil, unreachable(err)
		}
		return nil, c.lost(ctx, step, "the connection was lost")
	}
	defer answer.Body.Close()
	out, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil && answer.StatusCode/100 == 2 {
		return nil, c.lost(ctx, step, "the answer was cut")
	}
	whole := err == nil && len(out) <= maxAnswer
	out = wire.TrimMark(out) // what was paid is not to be lost for it
	if err := c.read(answer.StatusCode, out, whole); err != nil {
		return nil, err
	}
	c.answered = answer.Header
	return out, nil
}

// unreachable says why no connection could be made, in our words.
func unreachable(err error) unreached {
	why := netfault.Why(err)
	if errno, ok := errors.AsType[syscall.Errno](err); ok && why == "" {
		why = errno.Error()
	}
	if why == "" {
		return unreached(ErrUnreached.Error())
	}
	return unreached(ErrUnreached.Error() + ": " + why)
}

// maxPresented bounds the headers that a method sends.
const maxPresented = 16 << 10 // bytes

// present adds a method's headers to the protocol's, but for those that are not its to set.
func present(to, from http.Header) {
	size := 0
	for name, values := range from {
		name = http.CanonicalHeaderKey(name)
		if _, taken := to[name]; taken || !headerName(name) || strings.HasPrefix(name, wire.HeaderPrefix) ||
			slices.Contains(notPresented, name) {
			continue
		}
		for _, v := range values {
			if n := len(name) + len(v); size+n <= maxPresented && wire.Printable(v) {
				to[name] = append(to[name], v)
				size += n
			}
		}
	}
}

// notPresented are headers that a payment method does not set.
var notPresented = []string{
	"Authorization", "Connection", "Content-Encoding", "Content-Length", "Cookie", "Expect", "Host", "Keep-Alive", "Proxy-Authorization",
	"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// lost says why there is no answer. When it is our own end, that is what counts.
func (c *call) lost(ctx, step context.Context, otherwise string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if step.Err() != nil {
		return unknownFate("no answer in " + c.time.String())
	}
	return unknownFate(otherwise)
}

// often asks until the seller's answer is definite, or the error is final, a few times, always with the same body and key.
func (c *call) often(ctx context.Context, in any, final error) ([]byte, error) {
	body, err := wire.Encode(in)
	if err != nil {
		return nil, unknownFate("what is to be asked is not JSON")
	}
	for try := 1; ; try++ {
		out, err := c.once(ctx, body)
		if !errors.Is(err, errUnknown) || final != nil && errors.Is(err, final) || try == maxTries {
			return out, err
		}
		if err := pause(ctx, 100*time.Millisecond<<(2*try-2)); err != nil {
			return nil, err
		}
	}
}

// pause waits between half of d and d.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d/2 + jitter(d/2))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

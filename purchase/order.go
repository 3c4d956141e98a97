package purchase

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
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

// ownRule is the error of a transport that does not let a call go to an address. Its text is ours.
type ownRule interface {
	error
	Forbidden() bool
}

// forbidden is a call that was not made, by our own rule.
type forbidden struct{ ownRule }

func (forbidden) Is(err error) bool {
	return err == errUnknown || err == ErrUnreached || err == ErrForbidden
}

// refusal is a seller's definite no, or an answer that can't be used.
type refusal string

func (e refusal) Error() string   { return string(e) }
func (refusal) Is(err error) bool { return err == ErrRefused }

// call asks a seller once, under the purchase's idempotency key. The error is an unknownFate, a refusal, or that of ctx.
func call(ctx context.Context, w Want, path, key string, in any) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, refusal("the proof of payment is not JSON")
	}
	step, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	r, err := http.NewRequestWithContext(step, http.MethodPost, strings.TrimRight(w.BaseURL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, refusal("the seller's URL can't be used")
	}
	r.Header = http.Header{
		"Content-Type":            {"application/json"},
		"Accept":                  {"application/json"},
		"Accept-Encoding":         {"identity"},
		wire.HeaderIdempotencyKey: {key},
	}
	var connected atomic.Bool // TLS included
	r = r.WithContext(httptrace.WithClientTrace(step, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}))
	answer, err := w.Transport.RoundTrip(r)
	if err != nil {
		var own ownRule
		if errors.As(err, &own) && own.Forbidden() {
			return nil, forbidden{own}
		}
		if !connected.Load() && step.Err() == nil {
			return nil, unreached("the seller can't be reached")
		}
		return nil, lost(ctx, step, "the connection was lost")
	}
	defer answer.Body.Close()
	out, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch status := answer.StatusCode; {
	case status/100 == 2 && err != nil:
		return nil, lost(ctx, step, "the answer was cut")
	case status/100 == 2 && len(out) > maxAnswer:
		return nil, refusal("the answer is too large")
	case status/100 == 2:
		return out, nil
	case status == http.StatusConflict:
		return nil, refusal("status 409: our purchase id was used for something else")
	case status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusTooEarly && status != http.StatusTooManyRequests:
		return nil, refusal("status " + strconv.Itoa(status))
	default:
		return nil, unknownFate("status " + strconv.Itoa(status))
	}
}

// lost says why there is no answer. When it is our own end, that is what counts.
func lost(ctx, step context.Context, otherwise string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if step.Err() != nil {
		return unknownFate("no answer in " + stepTime.String())
	}
	return unknownFate(otherwise)
}

// askOften asks until the seller's answer is definite, or the error is final, a few times, always with the same body and key.
func askOften(ctx context.Context, w Want, path, key string, in any, final error) ([]byte, error) {
	for try := 1; ; try++ {
		out, err := call(ctx, w, path, key, in)
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

// readOrder reads and checks an order: nothing is paid that was not asked for.
func readOrder(body []byte, asked money.Micros) (wire.Order, error) {
	var o wire.Order
	if wire.Decode(body, &o) != nil {
		return o, refusal("the order is not an object of the right kind")
	}
	switch {
	case o.OrderID == "" || len(o.OrderID) > maxID:
		return o, refusal("the order has no usable id")
	case o.Currency != "USD":
		return o, refusal("the order is not in USD")
	case o.AmountMicros <= 0:
		return o, refusal("the order's amount is not above zero")
	case o.AmountMicros > asked:
		return o, refusal("the order's amount is more than was asked for")
	}
	return o, nil
}

// grant is wire.Grant, lenient where nothing depends on it: what is unreadable there must not cost us the token.
type grant struct {
	AccessToken      string          `json:"accessToken"`
	CreditMicros     money.Micros    `json:"creditMicros"`
	ExpiresAt        json.RawMessage `json:"expiresAt"`
	PaymentReference json.RawMessage `json:"paymentReference"`
}

// readGrant reads and checks what a seller has granted. The token still lacks what the purchase knows.
func readGrant(body []byte) (t ledger.Token, reference string, err error) {
	var g grant
	if wire.Decode(body, &g) != nil {
		return t, "", refusal("the grant is not an object of the right kind")
	}
	switch {
	case g.AccessToken == "":
		return t, "", refusal("the grant has no access token")
	case !headerValue(g.AccessToken):
		return t, "", refusal("the access token is too long, or not fit for a header")
	case g.CreditMicros <= 0 || g.CreditMicros > money.Max:
		return t, "", refusal("the grant's credit is not above zero, or absurd")
	}
	var expires string
	if json.Unmarshal(g.ExpiresAt, &expires) == nil {
		t.ExpiresAt = inCalendar(wire.Time(expires))
	}
	if json.Unmarshal(g.PaymentReference, &reference) != nil || len(reference) > maxID {
		reference = ""
	}
	t.Secret, t.CreditMicros, t.BalanceMicros = g.AccessToken, g.CreditMicros, g.CreditMicros
	return t, reference, nil
}

// inCalendar gives a time that a record can hold. Near the ends of the calendar another zone's time is of no year that can be
// written: what is after the end is at it, what is before the beginning is none.
func inCalendar(t time.Time) time.Time {
	switch year := t.Year(); {
	case year > 9999:
		return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	case year < 0:
		return time.Time{}
	}
	return t
}

// headerValue tells whether a token may stand in a header as it is.
func headerValue(s string) bool {
	if len(s) > maxToken {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

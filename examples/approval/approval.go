// Package approval is a payment method for tokenbuddy: a service of your own pays, and is asked over HTTP. It may have a human
// look at each payment first.
//
// The service knows each payment by the purchase's id, which is in the URL:
//
//   - PUT <url>/<id> asks for the payment, with {"seller", "orderId", "amountMicros"}. The same PUT again is the same payment.
//   - GET <url>/<id> tells what became of it, and starts nothing.
//   - DELETE <url>/<id> makes sure that what was never asked for is never paid: 409 where it has been asked for, and a PUT
//     that comes later is refused.
//
// PUT and GET answer {"state", "reference", "link"}: the state is "paid", "waiting" (for a human, at the link), "pending" or
// "refused".
package approval

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

func init() { caddy.RegisterModule(new(Approval)) }

// Approval is the method: `payment approval { ... }`.
type Approval struct {
	// URL is where the service is.
	URL string `json:"url"`
	// Key is sent to the service as a bearer token. A placeholder keeps it out of the config.
	Key string `json:"key,omitempty"`
	// Most is the most that one payment may be, in US dollars. Default: no bound of its own.
	Most string `json:"most,omitempty"`

	key    string
	most   money.Micros
	client http.Client
}

// CaddyModule returns the Caddy module information. The last part of the id is the name that sellers know the method by.
func (*Approval) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: payment.Namespace + ".approval", New: func() caddy.Module { return new(Approval) }}
}

// UnmarshalCaddyfile reads the block of "payment approval".
func (a *Approval) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // approval
	if d.NextArg() {
		return d.Errf("approval: unexpected %q: expected a block", d.Val())
	}
	words := map[string]*string{"url": &a.URL, "key": &a.Key, "most": &a.Most}
	for d.NextBlock(0) {
		word := d.Val()
		if to := words[word]; to == nil {
			return d.Errf("approval: unknown word %q: expected url, key or most", word)
		} else if !d.AllArgs(to) {
			return d.Errf("approval: expected one argument after %s", word)
		}
	}
	return nil
}

// Provision resolves the config. It must have no effect outside: configs are also loaded to be checked.
func (a *Approval) Provision(caddy.Context) error {
	u, err := url.Parse(a.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("approval: url: expected an http or https URL")
	}
	a.URL = strings.TrimSuffix(a.URL, "/")
	if a.key, err = caddy.NewReplacer().ReplaceOrErr(a.Key, true, false); err != nil {
		return fmt.Errorf("approval: key: %w", err)
	}
	if a.Most != "" {
		if a.most, err = money.Parse(a.Most); err != nil {
			return fmt.Errorf("approval: most: %w", err)
		}
	}
	a.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return nil
}

// Check looks at the order. It is not paid for now.
func (a *Approval) Check(q payment.Quote, _ money.Micros) error {
	if a.most > 0 && q.AmountMicros > a.most {
		return errors.New("the payment is above what one may be")
	}
	return nil
}

// intent is all that Pay and Track need to know of a payment, today or after a crash.
type intent struct {
	ID string `json:"id"` // at the service
}

// Prepare chooses the service's key for the payment: the purchase's id, which there is only once.
func (a *Approval) Prepare(_ context.Context, q payment.Quote) (json.RawMessage, error) {
	return json.Marshal(intent{q.PurchaseID})
}

// Pay asks the service to pay. Asked again, the service finds the payment by its id.
func (a *Approval) Pay(ctx context.Context, q payment.Quote, raw json.RawMessage) (payment.Outcome, error) {
	return a.ask(ctx, http.MethodPut, raw, map[string]any{
		"seller": q.SellerID, "orderId": q.OrderID, "amountMicros": q.AmountMicros,
	})
}

// Track tells what became of the payment, and starts nothing.
func (a *Approval) Track(ctx context.Context, _ payment.Quote, raw json.RawMessage) (payment.Outcome, error) {
	o, err := a.ask(ctx, http.MethodGet, raw, nil)
	if !errors.Is(err, errUnknown) {
		return o, err
	}
	// It was never asked for, or is on its way there. Only when the service takes it no more is it certain that nothing moves.
	return a.ask(ctx, http.MethodDelete, raw, nil)
}

var errUnknown = errors.New("the service does not know the payment")

// answer is what the service says of a payment.
type answer struct {
	State     string `json:"state"`
	Reference string `json:"reference"`
	Link      string `json:"link"`
}

func (a *Approval) ask(ctx context.Context, method string, raw json.RawMessage, body any) (payment.Outcome, error) {
	var in intent
	if err := json.Unmarshal(raw, &in); err != nil {
		return payment.Outcome{}, err
	}
	b, err := json.Marshal(body)
	if err != nil {
		return payment.Outcome{}, err
	}
	req, err := http.NewRequestWithContext(ctx, method, a.URL+"/"+url.PathEscape(in.ID), bytes.NewReader(b))
	if err != nil {
		return payment.Outcome{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if a.key != "" {
		req.Header.Set("Authorization", "Bearer "+a.key)
	}
	res, err := a.client.Do(req)
	if err != nil {
		return payment.Outcome{}, errors.New("the service could not be asked") // its fate is not known: Track is asked next
	}
	defer res.Body.Close()
	b, err = io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return payment.Outcome{}, errors.New("the service's answer broke off")
	}
	return outcome(method, res.StatusCode, b)
}

// outcome is what an answer means for the money. What it does not say for certain is not known.
func outcome(method string, status int, body []byte) (payment.Outcome, error) {
	switch {
	case method == http.MethodGet && status == http.StatusNotFound:
		return payment.Outcome{}, errUnknown
	case method == http.MethodDelete && status == http.StatusConflict:
		return payment.Pending(), nil // it came there in between: ask again
	case method == http.MethodDelete && status == http.StatusNoContent:
		return payment.Failed(true).Because("it was never asked for"), nil
	case status != http.StatusOK || method == http.MethodDelete:
		return payment.Outcome{}, fmt.Errorf("the service answered with status %d", status)
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return payment.Outcome{}, errors.New("the service's answer is not JSON")
	}
	switch a.State {
	case "paid":
		proof, err := json.Marshal(map[string]string{"reference": a.Reference})
		return payment.Proven(proof).As(a.Reference), err
	case "waiting":
		return payment.NeedsHuman(a.Link, "approve the payment"), nil
	case "pending":
		return payment.Pending(), nil
	case "refused":
		return payment.Failed(true).Because("the service has refused the payment"), nil
	}
	return payment.Outcome{}, errors.New("the service's answer has no state that is known")
}

// Cleanup is called after the last use, which may be long after the config has gone.
func (a *Approval) Cleanup() error {
	a.client.CloseIdleConnections()
	return nil
}

var (
	_ payment.Method        = (*Approval)(nil)
	_ caddy.Provisioner     = (*Approval)(nil)
	_ caddy.CleanerUpper    = (*Approval)(nil)
	_ caddyfile.Unmarshaler = (*Approval)(nil)
)

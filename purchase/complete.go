package purchase

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const (
	// giveUpAfter is how long a paid purchase is asked about before its money is called disputed.
	giveUpAfter = 24 * time.Hour
	// askFor is how long one process asks, at least: one that starts after a weekend, before its network is up, must not call
	// paid money lost at the first try.
	askFor = time.Hour
	// cashedFor is how long a seller that refuses the proof and has cashed it is asked for the token.
	cashedFor = 15 * time.Minute
)

// complete shows the seller the proof. Money has left, or the seller can have it: nothing but a token, or a no that is one, ends
// this early.
func (m *machine) complete(ctx context.Context) error {
	if m.asked.IsZero() {
		m.asked = time.Now()
	}
	out, answered, err := m.show(ctx)
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	var token ledger.Token
	var reference string
	if err == nil {
		token, reference, err = readGrant(out)
	}
	if err != nil {
		return m.ungranted(ctx, err)
	}
	token.ID, token.PurchaseID, token.BoughtAt = m.p.ID, m.p.ID, time.Now().UTC()
	token.Seller, token.Origin, token.Method = m.p.Seller, m.p.Origin, m.p.Method
	m.p.Token = &token
	if m.mayTell(reference, token.Secret) {
		m.p.PaymentReference = reference
	}
	if m.p.Reference == "" { // what the method has said of itself is worth more than what the seller sends
		if receipt := m.guest.receipt(ctx, m.quote(), bytes.Clone(m.p.Intent), answered); m.mayTell(receipt, token.Secret) {
			m.p.Reference = receipt
		}
	}
	return m.advance(ctx, ledger.Granted)
}

// mayTell tells whether what a seller calls the payment can be kept where everybody who looks in sees it: it can be printed, and
// repeats nothing of the token or of the proof.
func (m *machine) mayTell(reference, secret string) bool {
	if !wire.Printable(reference) || strings.Contains(reference, secret) {
		return false
	}
	reference = hexDigits(reference)
	tells := strings.Contains(reference, hexDigits(secret))
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case string:
			v = hexDigits(v)
			tells = tells || len(v) >= secretLength && strings.Contains(reference, v) || len(reference) >= secretLength && strings.Contains(v, reference)
		case []any:
			for _, inner := range v {
				look(inner)
			}
		case map[string]any:
			for _, inner := range v {
				look(inner)
			}
		}
	}
	var proof any
	if json.Unmarshal(m.p.Proof, &proof) == nil {
		look(proof)
	}
	return !tells
}

// hexDigits gives a text as it is compared: a part of a signature is one in either case, with 0x before it or without.
func hexDigits(s string) string { return strings.TrimPrefix(strings.ToLower(s), "0x") }

// secretLength is how long a text of a proof has to be for it to be a secret.
const secretLength = 16

// show asks for the token a few times, with the same proof under the same key. The headers are those of the answer, where there
// is one.
func (m *machine) show(ctx context.Context) ([]byte, http.Header, error) {
	c := call{
		Want: &m.want, path: wire.PurchaseCompletePath, key: m.p.ID, header: m.guest.present(ctx, bytes.Clone(m.p.Proof)),
		time: m.guest.patience(ctx, m.quote(), bytes.Clone(m.p.Intent)), read: readCompleted,
	}
	if m.guest.tellsFate() {
		c.read = readCashed
	}
	out, err := c.often(ctx, wire.CompletePurchase{
		PurchaseID: m.p.ID, OrderID: m.p.OrderID, PaymentMethod: m.p.Method, Proof: m.p.Proof,
	}, nil)
	return out, c.answered, err
}

// ungranted decides what an answer without a token means, if there was one. Where the method knows what became of the money, its
// word counts.
func (m *machine) ungranted(ctx context.Context, why error) error {
	refused := errors.Is(why, ErrRefused)
	late := time.Since(m.p.UpdatedAt) >= giveUpAfter && time.Since(m.asked) >= askFor
	var o payment.Outcome
	var fault error
	if m.guest.tellsFate() {
		o, fault = m.became(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	} else if refused {
		o = payment.Failed(false) // as far as anybody can tell
	}
	cashed := o.Kind == payment.OutcomeProven
	if cashed && m.moved.IsZero() {
		m.moved = time.Now()
	}
	m.withheld = cashed && (late || refused && time.Since(m.moved) >= cashedFor || errors.Is(why, errVoid))
	switch {
	case o.Kind == payment.OutcomeFailed && o.Unpaid:
		m.unpaid, m.methodFailed = true, true
		return m.endUnpaid(ctx, ledger.Failed, "complete", "nothing was paid", why)
	case m.withheld, late, refused && o.Kind == payment.OutcomeFailed:
		return m.endPaid(ctx, ledger.Disputed, "complete", "ask the seller about this purchase", why)
	case fault != nil:
		return fault
	case refused && cashed:
		return errCashed
	case refused:
		return errCashing
	}
	return why
}

// became asks the method what became of the money. What it can't say is not known; fault is a *GuestError, where it does not do what it is to do.
func (m *machine) became(ctx context.Context) (o payment.Outcome, fault error) {
	o, err := m.askFor(ctx, "fate", fateOf)
	if err == nil && o.Kind == payment.OutcomeProven && len(o.Proof) == 0 {
		o.Proof = m.p.Proof // that it has moved is all that is asked
	}
	if err == nil {
		o, err = m.guest.checked("fate", o)
	}
	if err != nil {
		o = payment.Pending()
	}
	if o.Reference != "" {
		m.p.Reference = o.Reference
	}
	if e, ok := errors.AsType[*GuestError](err); ok {
		return o, e
	}
	return o, nil
}

// fateOf asks a method what became of money whose proof has left.
func fateOf(to payment.Method, ctx context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	if f, ok := to.(payment.Fate); ok {
		return f.Fate(ctx, q, intent)
	}
	return payment.Pending(), nil
}

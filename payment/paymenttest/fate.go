package paymenttest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

func (t *trial) fate() error {
	f, ok := t.method.(payment.Fate)
	if !ok {
		return nil
	}
	if err := t.ready(); err != nil {
		return err
	}
	o, err := t.pay()
	if err != nil {
		return err
	}
	ask := func(when string, cashed bool) error {
		fate, err := f.Fate(context.Background(), t.quote, t.intent)
		if err != nil {
			return nil //nolint:nilerr // not known is an answer
		}
		if fate.Kind == payment.OutcomeProven && len(fate.Proof) == 0 {
			fate.Proof = o.Proof
		}
		if err := shown(fate); err != nil {
			return err
		}
		switch {
		case fate.Kind == payment.OutcomeNeedsHuman:
			return fmt.Errorf("%s Fate wants a human: it is asked what is, not what to do", when)
		case cashed && fate.Kind == payment.OutcomeFailed && fate.Unpaid:
			return fmt.Errorf("%s Fate says that nothing has moved", when)
		case !cashed && fate.Kind == payment.OutcomeProven && t.Payments != nil:
			return fmt.Errorf("%s Fate says that it has moved", when)
		case !cashed && fate.Kind == payment.OutcomeFailed && fate.Unpaid && t.Cash != nil:
			_ = t.Cash(t.quote, o.Proof)
			return t.moved(0, when+" Fate said that nothing can move any more, and")
		}
		return nil
	}
	moves := t.Cash == nil
	if err := ask("before it was cashed", moves); err != nil || moves {
		return err
	}
	if err := t.cash(o); err != nil {
		return err
	}
	if err := t.moved(1, "after it was cashed"); err != nil {
		return err
	}
	return ask("after it was cashed", true)
}

// reserved are headers that Present can't set: the gateway leaves them out, and the seller never sees them.
var reserved = []string{
	"Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Expect", "Host",
	"Idempotency-Key", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// ownPrefix is what the headers of the purchase protocol begin with.
const ownPrefix = "X-Tokenbuddy-"

// receipts tries headers that a stranger may send: none of them is to come back as it is.
func (t *trial) receipts(r payment.Receipt, proof json.RawMessage) error {
	for _, odd := range []string{"", "x\x1b[2J", strings.Repeat("x", 300), string(proof), base64.StdEncoding.EncodeToString(proof)} {
		h := make(http.Header)
		for _, name := range []string{"Authorization", "Link", "Payment-Receipt", "Payment-Response", "Set-Cookie", "X-Payment-Response"} {
			h.Set(name, odd)
		}
		for _, intent := range []json.RawMessage{t.intent, json.RawMessage(`{}`), nil} {
			got := r.Receipt(t.quote, intent, h)
			if len(got) > 256 || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
				return errors.New("the Receipt is longer than 256 bytes, or has what can't be printed")
			}
			if got != "" && len(proof) > 2 && strings.Contains(got, string(proof)) {
				return errors.New("the Receipt has the proof in it")
			}
		}
	}
	return nil
}

func (t *trial) manners() error {
	if err := t.ready(); err != nil {
		return err
	}
	if p, ok := t.method.(payment.Patience); ok {
		if d := p.Patience(t.quote, t.intent); d < 0 || d > 5*time.Minute {
			return fmt.Errorf("the Patience asks for %s: at most 5 minutes are given", d)
		}
	}
	if b, ok := t.method.(payment.Bounded); ok && b.MostPerDay() < 0 {
		return errors.New("the MostPerDay is below zero: nothing could be paid")
	}
	o, err := t.pay()
	if err != nil {
		return err
	}
	if p, ok := t.method.(payment.Present); ok {
		for name, values := range p.Present(o.Proof) {
			if canonical := http.CanonicalHeaderKey(name); slices.Contains(reserved, canonical) || strings.HasPrefix(canonical, ownPrefix) {
				return fmt.Errorf("the Present sets %s, which is not a method's", name)
			}
			for _, v := range values {
				if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
					return fmt.Errorf("the Present gives a value for %s that can't stand in a header", name)
				}
			}
		}
		for _, odd := range []string{"null", "{}", "[]", `"x"`} {
			_ = p.Present(json.RawMessage(odd))
		}
	}
	if r, ok := t.method.(payment.Receipt); ok {
		if err := t.receipts(r, o.Proof); err != nil {
			return err
		}
	}
	if e, ok := t.method.(payment.Ending); ok {
		e.Ended(t.quote, t.intent)
		e.Ended(t.quote, t.intent)
	}
	return nil
}

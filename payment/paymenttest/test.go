// Package paymenttest holds a payment method to its promises, in the manner of testing/fstest: a method's own test runs it
// against a rail that it can look into.
package paymenttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

// Rail is what a method is tried with: a test rail, on which no real money moves.
type Rail struct {
	// New gives another instance of the method, as another process would have it: it shares nothing with those before but the
	// rail. Required.
	New func() (payment.Method, error)

	// Quote gives an order that the method would pay, another one each time, with a PurchaseID of its own. Required.
	Quote func() payment.Quote

	// Payments tells how many payments the rail's own books have for a quote. Nil: the method pays nothing.
	Payments func(payment.Quote) (int, error)

	// Cash has the rail move the money as a seller does that is shown the proof. Nil: the money moves in Pay.
	Cash func(q payment.Quote, proof json.RawMessage) error

	// Help does what a human is asked to do, where the method asks for one. Nil: it never does.
	Help func(payment.Quote, payment.Outcome) error

	// Bad are quotes that the method must not pay.
	Bad []payment.Quote

	// Tries is how often Track is asked while the payment is pending, with Wait between. Default: 1000 times, 10 ms.
	Tries int
	Wait  time.Duration
}

// TestMethod tries the method in the ways in which a purchase uses it, and in those in which a crash has it used: Pay twice with
// one intent, by several at once, Track before any Pay, Track by another instance after a Pay that was cut off, Fate at each
// step. The error names every promise that was broken.
func TestMethod(r Rail) error {
	if r.Tries == 0 {
		r.Tries = 1000
	}
	if r.Wait == 0 {
		r.Wait = 10 * time.Millisecond
	}
	var broken []error
	for _, p := range promises {
		t := &trial{Rail: &r}
		if err := t.keep(p.try); err != nil {
			broken = append(broken, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	return errors.Join(broken...)
}

var promises = []struct {
	name string
	try  func(*trial) error
}{
	{"Check is pure, and refuses what is bad", (*trial).check},
	{"Prepare moves no money", (*trial).prepare},
	{"Pay pays once, whoever asks how often", (*trial).payTwice},
	{"Pay pays once, for many at once", (*trial).payTogether},
	{"Track starts nothing", (*trial).trackFirst},
	{"Track finds a payment after a crash", (*trial).trackAfterCrash},
	{"a Pay that is cut off is found again", (*trial).cutOff},
	{"Fate tells what became of the money", (*trial).fate},
	{"Patience, MostPerDay, Present and Receipt can be used", (*trial).manners},
}

// trial is one try of a promise.
type trial struct {
	*Rail
	method payment.Method
	quote  payment.Quote
	intent json.RawMessage
}

// keep runs a try with a fresh instance and a fresh quote. A panic breaks the promise.
func (t *trial) keep(try func(*trial) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it panicked: %v", r)
		}
	}()
	if t.method, err = t.New(); err != nil {
		return fmt.Errorf("another instance: %w", err)
	}
	t.quote = t.Quote()
	if t.quote.PurchaseID == "" || t.quote.AmountMicros <= 0 {
		return errors.New("the rail's quote needs a PurchaseID and an amount")
	}
	before := clone(t.quote)
	err = try(t)
	if !same(before, t.quote) {
		err = errors.Join(err, errors.New("the method has changed its quote"))
	}
	return err
}

func clone(q payment.Quote) payment.Quote {
	q.Payment = bytes.Clone(q.Payment)
	return q
}

func same(a, b payment.Quote) bool {
	payments := bytes.Equal(a.Payment, b.Payment)
	a.Payment, b.Payment = nil, nil
	return payments && a.PurchaseID == b.PurchaseID && a.OrderID == b.OrderID && a.AmountMicros == b.AmountMicros && a.ExpiresAt.Equal(b.ExpiresAt)
}

// moved wants the rail to have so many payments for the quote.
func (t *trial) moved(want int, when string) error {
	if t.Payments == nil {
		return nil
	}
	n, err := t.Payments(t.quote)
	if err != nil {
		return err
	}
	if n != want {
		return fmt.Errorf("%s the rail has %d payments, want %d", when, n, want)
	}
	return nil
}

// other goes on with another instance, as after a crash.
func (t *trial) other() (err error) {
	t.method, err = t.New()
	return err
}

// ready checks and prepares.
func (t *trial) ready() error {
	if err := t.method.Check(t.quote, t.quote.AmountMicros); err != nil {
		return fmt.Errorf("the Check refuses the rail's own quote: %w", err)
	}
	intent, err := t.method.Prepare(context.Background(), t.quote)
	if err != nil {
		return fmt.Errorf("the Prepare: %w", err)
	}
	switch {
	case len(intent) > 0 && !json.Valid(intent):
		return errors.New("the Prepare gave an intent that is not JSON")
	case len(intent) > longest:
		return errors.New("the Prepare gave an intent of more than 128 KiB")
	}
	t.intent = intent
	return nil
}

// longest is how long an intent or a proof may be, in bytes.
const longest = 128 << 10

// shown wants an outcome to be one that can be shown.
func shown(o payment.Outcome) error {
	switch o.Kind {
	case payment.OutcomeProven:
		switch {
		case !json.Valid(o.Proof):
			return errors.New("a proof that is not JSON")
		case len(o.Proof) > longest:
			return errors.New("a proof of more than 128 KiB")
		}
	case payment.OutcomeNeedsHuman:
		if o.Link != "" {
			if u, err := url.Parse(o.Link); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
				return fmt.Errorf("a link that is not https: %q", o.Link)
			}
		}
	case payment.OutcomePending, payment.OutcomeFailed:
	default:
		return fmt.Errorf("an outcome of kind %d", o.Kind)
	}
	for _, text := range []string{o.Link, o.Text, o.Reference, o.Reason} {
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Errorf("a text that can't be printed: %q", text)
		}
	}
	return nil
}

// await tracks until the payment is no longer pending, with the human's help where that is wanted.
func (t *trial) await(o payment.Outcome, err error) (payment.Outcome, error) {
	for range t.Tries {
		if err == nil {
			if err := shown(o); err != nil {
				return o, err
			}
			switch {
			case o.Kind == payment.OutcomeProven, o.Kind == payment.OutcomeFailed:
				return o, nil
			case o.Kind == payment.OutcomeNeedsHuman && t.Help == nil:
				return o, errors.New("it wants a human, and the rail has none")
			case o.Kind == payment.OutcomeNeedsHuman:
				if err := t.Help(t.quote, o); err != nil {
					return o, err
				}
			}
		}
		time.Sleep(t.Wait) //nolint:forbidigo // a rail is another program, which says nothing when a payment moves on
		o, err = t.method.Track(context.Background(), t.quote, t.intent)
	}
	if err != nil {
		return o, fmt.Errorf("its fate is never known: %w", err)
	}
	return o, errors.New("it is pending for ever")
}

// pay pays until it is proven, and cashes the proof where that is what moves the money.
func (t *trial) pay() (payment.Outcome, error) {
	o, err := t.await(t.method.Pay(context.Background(), t.quote, t.intent))
	if err == nil && o.Kind != payment.OutcomeProven {
		err = fmt.Errorf("the rail's own quote is not paid: %s", o.Reason)
	}
	return o, err
}

func (t *trial) cash(o payment.Outcome) error {
	if t.Cash == nil {
		return nil
	}
	return t.Cash(t.quote, o.Proof)
}

// paidBy is how many payments there are once Pay has ended and nobody has cashed the proof.
func (t *trial) paidBy() int {
	if t.Cash != nil {
		return 0
	}
	return 1
}

func (t *trial) check() error {
	first := t.method.Check(clone(t.quote), t.quote.AmountMicros)
	second := t.method.Check(clone(t.quote), t.quote.AmountMicros)
	if first != nil || second != nil {
		return fmt.Errorf("the rail's own quote is refused: %w", errors.Join(first, second))
	}
	for _, q := range t.Bad {
		if t.method.Check(clone(q), q.AmountMicros) == nil {
			return fmt.Errorf("a bad quote passes: %s", q.Payment)
		}
	}
	// What a stranger may write there is not always what the method knows. Whatever it says of these, it says something.
	for _, hostile := range []string{
		"", "null", "{}", "[]", `""`, "0", "-1e400", `{"a":{"a":{"a":[[[[[]]]]]}}}`, `{"amount":"-5"}`, `{"accepts":null}`,
		strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), `"` + strings.Repeat("\\u0000", 1000) + `"`,
	} {
		q := clone(t.quote)
		q.Payment = json.RawMessage(hostile)
		if hostile == "" {
			q.Payment = nil
		}
		_ = t.method.Check(q, q.AmountMicros)
	}
	return t.moved(0, "after Check")
}

func (t *trial) prepare() error {
	if err := t.ready(); err != nil {
		return err
	}
	if err := t.moved(0, "after Prepare"); err != nil {
		return err
	}
	// It may be prepared anew before it is paid.
	if err := t.ready(); err != nil {
		return err
	}
	o, err := t.pay()
	if err != nil {
		return err
	}
	if err := t.cash(o); err != nil {
		return err
	}
	return t.moved(1, "prepared twice, then paid,")
}

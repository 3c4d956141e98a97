package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// question is the line that the program reads.
type question struct {
	V            int             `json:"v"`
	Step         string          `json:"step"`
	PurchaseID   string          `json:"purchaseId"`
	Seller       string          `json:"seller"`
	Origin       string          `json:"origin"`
	OrderID      string          `json:"orderId"`
	Model        string          `json:"model"`
	AmountMicros money.Micros    `json:"amountMicros"`
	Currency     string          `json:"currency"`
	ExpiresAt    string          `json:"expiresAt,omitempty"`
	Payment      json.RawMessage `json:"payment,omitempty"`
	Intent       json.RawMessage `json:"intent,omitempty"`
}

// answer is the object that it writes.
type answer struct {
	Status    string          `json:"status"`
	Intent    json.RawMessage `json:"intent"`
	Proof     json.RawMessage `json:"proof"`
	Unpaid    bool            `json:"unpaid"`
	Reference string          `json:"reference"`
	Link      string          `json:"link"`
	Text      string          `json:"text"`
}

// The steps, and what may be answered to each.
const (
	stepCheck   = "check"
	stepPrepare = "prepare"
	stepPay     = "pay"
	stepTrack   = "track"
	stepFate    = "fate"

	statusOK      = "ok"
	statusPaid    = "paid"
	statusPending = "pending"
	statusHuman   = "human"
	statusFailed  = "failed"
)

var fits = map[string][]string{
	stepCheck:   {statusOK, statusFailed},
	stepPrepare: {statusOK, statusFailed},
	stepPay:     {statusPaid, statusPending, statusHuman, statusFailed},
	stepTrack:   {statusPaid, statusPending, statusHuman, statusFailed},
	stepFate:    {statusPaid, statusPending, statusFailed},
}

// ask runs one step. An error means that nothing definite is known: the program did not end as it should, or what it wrote is
// not the one object that fits the step.
func (m *Method) ask(ctx context.Context, step string, q payment.Quote, intent json.RawMessage) (answer, error) {
	expires := ""
	if !q.ExpiresAt.IsZero() {
		expires = q.ExpiresAt.Format(time.RFC3339)
	}
	line, err := wire.Encode(question{
		V: 1, Step: step, PurchaseID: q.PurchaseID, Seller: q.SellerID, Origin: q.Origin, OrderID: q.OrderID, Model: q.Model,
		AmountMicros: q.AmountMicros, Currency: "USD", ExpiresAt: expires, Payment: q.Payment, Intent: intent,
	})
	if err != nil {
		return answer{}, errors.New("the step can't be written as JSON")
	}
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	leave, err := m.turns.enter(ctx, q.PurchaseID)
	if err != nil {
		return answer{}, err
	}
	defer leave()
	r := m.program.Run(ctx, append(line, '\n'))
	if r.Err == nil {
		a, err := read(step, r.Stdout)
		if err == nil {
			return a, nil
		}
		r.Err = err
	}
	fields := []zap.Field{
		zap.String("method", m.name), zap.String("step", step), zap.String("purchase", q.PurchaseID),
		zap.Int("exit_code", r.ExitCode), zap.Int("stderr_bytes", r.StderrBytes),
	}
	if m.LogStderr {
		fields = append(fields, zap.ByteString("stderr", r.Stderr))
	}
	m.logger.Warn("payment.command.unclear", fields...)
	return answer{}, fmt.Errorf("payment %s: %s: %w", m.name, step, r.Err)
}

// maxText is how much of the program's text is shown, in bytes; maxLink is the longest link.
const (
	maxText = 500
	maxLink = 2048
)

var validReference = regexp.MustCompile(`^[0-9A-Za-z._:-]{1,128}$`)

// read reads what the program has written: one JSON object, whose status fits the step.
func read(step string, out []byte) (answer, error) {
	var a answer
	if err := wire.Decode(out, &a); err != nil {
		return answer{}, errors.New("the program did not write one JSON object as it should be")
	}
	if repeats(out) {
		return answer{}, errors.New("the program wrote a member of its answer twice")
	}
	switch {
	case !slices.Contains(fits[step], a.Status):
		return answer{}, errors.New("the program's status does not fit the step: expected " + strings.Join(fits[step], ", "))
	case a.Status == statusPaid && step != stepFate && len(a.Proof) == 0:
		return answer{}, errors.New("the program says paid, and gives no proof")
	}
	if !validReference.MatchString(a.Reference) {
		a.Reference = ""
	}
	if !strings.HasPrefix(a.Link, "https://") || len(a.Link) > maxLink || legible(a.Link) != a.Link {
		a.Link = ""
	}
	a.Text = legible(a.Text)
	if len(a.Text) > maxText {
		a.Text = strings.ToValidUTF8(a.Text[:maxText], "")
	}
	a.Unpaid = a.Unpaid && a.Status == statusFailed
	return a, nil
}

// repeats tells whether a member stands twice in an object: readers differ in which of them they believe, and it may be the one that says
// paid.
func repeats(object []byte) bool {
	d := json.NewDecoder(bytes.NewReader(object))
	seen := make(map[string]bool)
	for _, err := d.Token(); err == nil && d.More(); {
		var name json.Token
		if name, err = d.Token(); err != nil {
			return false
		}
		member, _ := name.(string)
		if seen[member] {
			return true
		}
		seen[member] = true
		err = d.Decode(new(json.RawMessage))
	}
	return false
}

// legible leaves out what could move a terminal's cursor.
func legible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, ""))
}

// outcome is what an answer to pay, track or fate means.
func (a answer) outcome() payment.Outcome {
	o := payment.Pending()
	switch a.Status {
	case statusPaid:
		if len(a.Proof) == 0 {
			a.Proof = json.RawMessage("{}")
		}
		o = payment.Proven(a.Proof)
	case statusHuman:
		o = payment.NeedsHuman(a.Link, a.Text)
	case statusFailed:
		o = payment.Failed(a.Unpaid)
	}
	if a.Status != statusHuman {
		o = o.Because(a.Text)
	}
	return o.As(a.Reference)
}

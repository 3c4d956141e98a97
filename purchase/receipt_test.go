package purchase

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// reader is a method that finds in a header what the rail calls the payment.
type reader struct {
	fakeMethod
	read func(http.Header) string
}

func (m *reader) Receipt(_ payment.Quote, intent json.RawMessage, answer http.Header) string {
	if string(intent) != `{"nonce":1}` {
		panic("another intent")
	}
	return m.read(answer)
}

// What the rail calls a payment comes from the answer that grants the token, where the method has not said it itself; nothing
// that is a secret, and nothing that can't be shown.
func TestReceipt(t *testing.T) {
	const signature = "0x4ae3a35bb5d6ea593696236b5936ae3c9dfe5c9e78371e2239c8ba32b1dc87184a0529f9c43e88dab6f63f9b2c77a4b81ed84081bae698e7bc740fb2ae99954f1c"
	proof := payment.Proven(json.RawMessage(`{"payload":{"signature":"` + signature + `"}}`))
	header := func(h http.Header) string { return h.Get("Payment-Response") }
	for name, c := range map[string]struct {
		sent  string
		paid  payment.Outcome
		read  func(http.Header) string
		want  string
		fault int
	}{
		"a transaction":                     {sent: "0xabc", paid: proof, read: header, want: "0xabc"},
		"none":                              {paid: proof, read: header},
		"the method has said another":       {sent: "0xabc", paid: proof.As("0xdef"), read: header, want: "0xdef"},
		"the token":                         {sent: "tok_secret", paid: proof, read: header},
		"the token in it":                   {sent: "x-tok_secret-x", paid: proof, read: header},
		"the token in other letters":        {sent: "0xTOK_SECRET", paid: proof, read: header},
		"the signature":                     {sent: signature, paid: proof, read: header},
		"the first half of the signature":   {sent: signature[:66], paid: proof, read: header},
		"its second half, as a transaction": {sent: "0x" + strings.ToUpper(signature[66:130]), paid: proof, read: header},
		"too long":                          {sent: strings.Repeat("x", 257), paid: proof, read: header},
		"it can't be printed":               {paid: proof, read: func(http.Header) string { return "a\x1b[2Jb" }},
		"the method panics":                 {paid: proof, read: func(http.Header) string { panic("odd") }, fault: 1},
		"the method does not return": {paid: proof, read: func(http.Header) string {
			time.Sleep(time.Minute)
			return "0xabc"
		}, fault: 1},
		"the method writes into the headers": {sent: "0xabc", paid: proof, want: "0xabc", read: func(h http.Header) string {
			defer h.Del("Payment-Response")
			return header(h)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m := &reader{read: c.read}
			m.pay = says(c.paid)
			set := func(b *bench) {
				b.method = m
				b.seller.answer = at(wire.PurchaseCompletePath, func(int) *http.Response {
					out := reply(200, `{"accessToken":"tok_secret","expiresAt":"2090-01-01T00:00:00Z","creditMicros":5000000,"paymentReference":"r"}`)
					if c.sent != "" {
						out.Header.Set("Payment-Response", c.sent)
					}
					return out
				})
			}
			trade(t, set, func(t *testing.T, b *bench) {
				begun := time.Now()
				b.lease(1).Return(0)
				if took := time.Since(begun); took > receiptTime+guestGrace {
					t.Errorf("the token was held back for %s", took)
				}
				p := b.journal.lastStep()
				if p.State != ledger.Granted || p.Reference != c.want || p.PaymentReference != "r" {
					t.Errorf("%s with the references %q and %q, want %q", p.State, p.Reference, p.PaymentReference, c.want)
				}
				if got := b.faulty("fake receipt"); got != c.fault {
					t.Errorf("%d faults", got)
				}
				time.Sleep(2 * time.Minute)
			})
		})
	}
}

// A refusal has no receipt: what such an answer names has not been paid with a token in return.
func TestReceiptOfARefusal(t *testing.T) {
	asked := 0
	m := &reader{read: func(http.Header) string {
		asked++
		return "0xabc"
	}}
	set := func(b *bench) {
		b.method, b.seller.answer = m, at(wire.PurchaseCompletePath, refusing(1000))
	}
	trade(t, set, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrDisputed)
		if p := b.journal.lastStep(); p.Reference != "" || asked > 0 {
			t.Errorf("asked %d times, reference %q", asked, p.Reference)
		}
	})
}

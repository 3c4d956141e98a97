package command

import (
	"encoding/json"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

// TestReadTwice: an answer that says a thing twice, as two programs would read it in two ways, is none; one that only repeats a word is.
func TestReadTwice(t *testing.T) {
	for out, whole := range map[string]bool{
		`{"status":"paid","proof":{},"status":"failed","unpaid":true}`:        false,
		`{"status":"failed","unpaid":true,"status":"failed"}`:                 false,
		`{"status":"failed","unpaid":false,"unpaid":true}`:                    false,
		`{"status":"paid","proof":{},"proof":{"preimage":"a"}}`:               false,
		`{"status":"paid","st\u0061tus":"failed","proof":{}}`:                 false,
		`{"status":"paid","proof":{"status":"a","status":"b"},"text":"paid"}`: true, // a proof is the rail's
	} {
		if _, err := read(stepPay, []byte(out)); (err == nil) != whole {
			t.Errorf("%s: %v", out, err)
		}
	}
}

// FuzzRead: whatever a program writes, only the word "failed" with unpaid gives money back, and what is shown can be printed.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		`{"status":"paid","proof":{}}`, `{"status":"failed","unpaid":true}`, `{"status":"human","link":"https://a","text":"\u001b"}`, `{"status":"ok"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		for step := range fits {
			a, err := read(step, out)
			if err != nil {
				continue
			}
			o := a.outcome()
			if o.Unpaid && a.Status != statusFailed || o.Kind == payment.OutcomeProven && !json.Valid(o.Proof) ||
				legible(o.Text) != o.Text || legible(o.Link) != o.Link || len(o.Text) > maxText {
				t.Fatalf("%s: %q gives %+v", step, out, o)
			}
		}
	})
}

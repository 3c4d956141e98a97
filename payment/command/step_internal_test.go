package command

import (
	"encoding/json"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

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

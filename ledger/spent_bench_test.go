package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// BenchmarkSpentInAll is what a member's question costs how it stands, where fifty have used three models for 300 days.
func BenchmarkSpentInAll(b *testing.B) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	l := open(b, ledger.Options{Dir: b.TempDir(), Now: func() time.Time { return now }})
	for range 300 {
		var last ledger.Inference
		for i := range 150 {
			id := fmt.Sprint(now, i)
			last = ledger.Inference{
				Request: ledger.Request{RequestID: id, IdempotencyKey: id, Member: fmt.Sprint("member-", i%50), RequestedModel: "m", Model: fmt.Sprint("m", i/50), Protocol: "messages"},
				Seller:  "acme", Origin: origin, Attempts: 1, Status: ledger.StatusOK, Answered: true, Settlement: settlement(id, 7),
			}
			if i < 149 {
				l.Settle(last)
			}
		}
		if _, err := l.Settle(last).Wait(b.Context()); err != nil {
			b.Fatal(err)
		}
		now = now.Add(24 * time.Hour)
	}
	for b.Loop() {
		if _, err := l.SpentInAll(b.Context(), "member-7"); err != nil {
			b.Fatal(err)
		}
	}
}

package books_test

import (
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/books"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// What a gateway has spent by its shipped entries is what its budgets have counted, by member, group and period.
func TestBookedBy(t *testing.T) {
	l, err := ledger.Open(ledger.Options{InMemory: true, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	store, calendar := fleettest.NewMemory(), ledger.Calendar{Zone: time.UTC, Week: time.Monday}
	price, usage := money.Price{Input: money.USD, Output: money.USD}, billing.Usage{Tokens: money.Tokens{Prompt: 500_000, Completion: 200_000}, PromptKnown: true, CompletionKnown: true}
	for id, group := range map[string]string{"r1": "team", "r2": ""} {
		if _, err := l.Settle(ledger.Inference{
			Request: ledger.Request{RequestID: id, Member: "ada", Group: group, Model: "m"}, Seller: "acme", Origin: "https://acme.example", Attempts: 1, Status: ledger.StatusOK,
			Answered: true, Price: price, Usage: usage,
		}).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var rows []fleet.Row
	if err := (books.Source{Ledger: l}).Rows(t.Context(), 0, 100, func(r fleet.Row) error {
		rows = append(rows, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Append(t.Context(), "gone", rows); err != nil {
		t.Fatal(err)
	}
	booked, err := books.BookedBy(store, func() ledger.Calendar { return calendar })(t.Context(), "gone")
	if err != nil {
		t.Fatal(err)
	}
	spent, err := l.SpentBy(t.Context(), "ada")
	if err != nil || spent.Daily == 0 {
		t.Fatal(spent, err)
	}
	for kind, period := range calendar.Periods(time.Now()) {
		scope := fleet.ScopeOf(kind, period)
		if member, group := booked(false, "ada", scope), booked(true, "team", scope); member != spent.Daily || group != spent.Daily/2 {
			t.Errorf("%s: %d of the member and %d of its group, of %d", scope, member, group, spent.Daily)
		}
	}
	if sum := booked(false, "ada", "d2001-01-01"); sum != 0 {
		t.Errorf("%d on a day without any", sum)
	}
}

package command

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
)

// printPurchases prints those that q chooses.
func printPurchases(w io.Writer, rows []admin.Purchase, q ledger.PurchaseQuery) {
	if len(rows) == 0 {
		if q == (ledger.PurchaseQuery{}) {
			fmt.Fprintln(w, "Nothing was bought yet.")
		} else {
			fmt.Fprintln(w, "There is no such purchase.")
		}
		return
	}
	t := &table{words: []int{0, 1, 2, 3, 5, 6, 7, 8}}
	t.add("id", "begun (UTC)", "seller", "method", "amount", "state", "waits for", "until (UTC)", "reference")
	t.add(rule...)
	for _, p := range rows {
		until := ""
		if !p.Until.IsZero() {
			until = p.Until.UTC().Format(time.DateTime)
		}
		state := p.State
		if p.RefundedMicros > 0 {
			state += ", refunded " + p.RefundedMicros.String()
		}
		t.add(plain.Name(p.PurchaseID), p.CreatedAt.UTC().Format(time.DateTime), plain.Name(p.SellerID), plain.Name(p.Method), p.AmountMicros.Fixed(), state,
			waitsFor(&p), until, reference(&p))
	}
	t.print(w)
}

// waitsFor says what a purchase waits for, or why it has failed.
func waitsFor(p *admin.Purchase) string {
	switch {
	case p.Doubt != "":
		return plain.Name(p.Doubt)
	case p.Awaits:
		return "approval"
	case p.State == string(ledger.NeedsHuman):
		return "a human"
	case p.Failure != "":
		return plain.Name(p.Failure)
	}
	return ""
}

func reference(p *admin.Purchase) string {
	if r := cmp.Or(p.Reference, p.PaymentReference); r != "" {
		return plain.Whole(r)
	}
	return ""
}

func printPurchase(w io.Writer, p *admin.Purchase) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-18s %s\n", name, value)
		}
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.DateTime) + " UTC"
	}
	text := func(s string) string {
		if s == "" {
			return ""
		}
		return plain.Whole(s)
	}
	line("purchase", plain.Whole(p.PurchaseID))
	line("seller", plain.Name(p.SellerID)+" at "+plain.Name(p.Origin))
	line("model", text(p.Model))
	line("method", text(p.Method))
	line("amount", p.AmountMicros.Fixed()+" US dollars")
	line("state", p.State)
	line("begun", at(p.CreatedAt))
	line("in this state since", at(p.UpdatedAt))
	line("waits for", plain.Words(p.Doubt))
	line("until", at(p.Until))
	line("to do", plain.Words(p.Hint))
	line("link", text(p.Link))
	line("why", plain.Words(p.Failure))
	line("paid to", text(p.Payee))
	line("reference", text(p.Reference))
	line("seller's order", text(p.OrderID))
	line("seller's reference", text(p.PaymentReference))
	for _, r := range p.Refunds {
		line("refunded", r.AmountMicros.Fixed()+" on "+at(r.At)+", "+plain.Whole(r.Reference))
	}
	if len(p.Entries) == 0 {
		return
	}
	fmt.Fprintln(w, "\nThe journal:")
	for _, e := range p.Entries {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %s UTC  %-12s %s  %s", e.Time.UTC().Format(time.DateTime), e.State, moved(e), plain.Words(e.Note)), " "))
	}
}

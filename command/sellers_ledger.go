package command

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
)

// sellerBooks is what a ledger knows of a seller. How the seller does is known to a gateway that runs alone.
type sellerBooks struct {
	SellerID          string       `json:"sellerId"`
	Tokens            int          `json:"tokens"` // in use
	LeftMicros        money.Micros `json:"leftMicros"`
	UnconfirmedMicros money.Micros `json:"unconfirmedMicros"` // of what is left: from a backup, and not tried since
	PendingMicros     money.Micros `json:"pendingMicros"`
	WastedMicros      money.Micros `json:"wastedMicros"`
	DisputedMicros    money.Micros `json:"disputedMicros"`
	Requests          int64        `json:"requests"`
	PromptTokens      int64        `json:"promptTokens"`
	CacheReadTokens   int64        `json:"cacheReadTokens"`
	CompletionTokens  int64        `json:"completionTokens"`
	BilledMicros      money.Micros `json:"billedMicros"`
}

// sellersOf gives the sellers that the ledger knows, by id.
func sellersOf(ctx context.Context, l *ledger.Ledger) ([]sellerBooks, error) {
	sellers := map[string]*sellerBooks{}
	of := func(id string) *sellerBooks {
		if sellers[id] == nil {
			sellers[id] = &sellerBooks{SellerID: id}
		}
		return sellers[id]
	}
	balances, err := l.Balances(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range balances.Accounts {
		kind, names := ledger.SplitAccount(a.Account)
		if len(names) != 1 {
			continue
		}
		switch kind {
		case "credit":
			of(names[0]).LeftMicros = a.BalanceMicros
		case "pending":
			of(names[0]).PendingMicros = a.BalanceMicros
		case "waste":
			of(names[0]).WastedMicros = a.BalanceMicros
		case "disputed":
			of(names[0]).DisputedMicros = a.BalanceMicros
		}
	}
	rows, err := l.Summary(ctx, time.Time{}, time.Time{}, "seller")
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.Key == "" { // no seller was asked
			continue
		}
		s := of(r.Key)
		s.Requests, s.PromptTokens, s.CacheReadTokens, s.CompletionTokens = r.Requests, r.PromptTokens, r.CacheReadTokens, r.CompletionTokens
		s.BilledMicros = r.BilledMicros
	}
	for _, t := range l.Tokens() {
		s := of(t.Seller)
		s.Tokens++
		if t.Unconfirmed {
			s.UnconfirmedMicros += t.BalanceMicros
		}
	}
	all := make([]sellerBooks, 0, len(sellers))
	for _, id := range slices.Sorted(maps.Keys(sellers)) {
		all = append(all, *sellers[id])
	}
	return all, nil
}

func printSellerBooks(w io.Writer, rows []sellerBooks) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "The ledger knows no seller.")
		return
	}
	t := &table{words: "0"}
	t.add("seller", "requests", "prompt", "cached", "completion", "billed", "tokens in use", "left", "unconfirmed", "pending", "wasted", "disputed")
	t.add(rule...)
	row := func(name string, s *sellerBooks) {
		t.add(name, humanize.Comma(s.Requests), humanize.Comma(s.PromptTokens), humanize.Comma(s.CacheReadTokens), humanize.Comma(s.CompletionTokens),
			s.BilledMicros.Fixed(), strconv.Itoa(s.Tokens), s.LeftMicros.Fixed(), s.UnconfirmedMicros.Fixed(), s.PendingMicros.Fixed(),
			s.WastedMicros.Fixed(), s.DisputedMicros.Fixed())
	}
	var total sellerBooks
	for _, s := range rows {
		row(plain.Name(s.SellerID), &s)
		total.Requests += s.Requests
		total.PromptTokens += s.PromptTokens
		total.CacheReadTokens += s.CacheReadTokens
		total.CompletionTokens += s.CompletionTokens
		total.BilledMicros += s.BilledMicros
		total.Tokens += s.Tokens
		total.LeftMicros += s.LeftMicros
		total.UnconfirmedMicros += s.UnconfirmedMicros
		total.PendingMicros += s.PendingMicros
		total.WastedMicros += s.WastedMicros
		total.DisputedMicros += s.DisputedMicros
	}
	t.add(rule...)
	row("total", &total)
	t.print(w)
}

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
	balances, err := l.Balances(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := l.Summary(ctx, time.Time{}, time.Time{}, "seller")
	if err != nil {
		return nil, err
	}
	known := knownSellers{}
	known.addBalances(balances.Accounts)
	known.addRequests(rows)
	known.addTokens(l.Tokens())
	all := make([]sellerBooks, 0, len(known))
	for _, id := range slices.Sorted(maps.Keys(known)) {
		all = append(all, *known[id])
	}
	return all, nil
}

// knownSellers are those that anything in a ledger is about, by id.
type knownSellers map[string]*sellerBooks

func (k knownSellers) of(id string) *sellerBooks {
	if k[id] == nil {
		k[id] = &sellerBooks{SellerID: id}
	}
	return k[id]
}

func (k knownSellers) addBalances(accounts []ledger.Account) {
	for _, a := range accounts {
		kind, names := ledger.SplitAccount(a.Account)
		if len(names) != 1 {
			continue
		}
		switch kind {
		case "credit":
			k.of(names[0]).LeftMicros = a.BalanceMicros
		case "pending":
			k.of(names[0]).PendingMicros = a.BalanceMicros
		case "waste":
			k.of(names[0]).WastedMicros = a.BalanceMicros
		case "disputed":
			k.of(names[0]).DisputedMicros = a.BalanceMicros
		}
	}
}

func (k knownSellers) addRequests(rows []ledger.Row) {
	for _, r := range rows {
		if r.Key == "" { // no seller was asked
			continue
		}
		s := k.of(r.Key)
		s.Requests, s.PromptTokens, s.CacheReadTokens, s.CompletionTokens = r.Requests, r.PromptTokens, r.CacheReadTokens, r.CompletionTokens
		s.BilledMicros = r.BilledMicros
	}
}

func (k knownSellers) addTokens(tokens []ledger.Token) {
	for _, t := range tokens {
		s := k.of(t.Seller)
		s.Tokens++
		if t.Unconfirmed {
			s.UnconfirmedMicros += t.BalanceMicros
		}
	}
}

func printSellerBooks(w io.Writer, rows []sellerBooks) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "The ledger knows no seller.")
		return
	}
	t := &table{words: []int{0}}
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

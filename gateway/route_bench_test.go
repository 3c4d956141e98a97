package gateway

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// credits is a journal that knows tokens and nothing else.
type credits struct {
	purchase.Journal
	tokens []ledger.Token
}

func (c credits) Tokens() []ledger.Token { return c.tokens }

func (credits) DropToken(context.Context, string, string) error { return nil }

// BenchmarkRoute orders the sellers of a request as the gateway does it: each was dealt with, and has a token. What a request
// pays with is looked at for all of them, which routing's own benchmarks leave out.
func BenchmarkRoute(b *testing.B) {
	var journal credits
	var pinned []*routing.Seller
	pool := routing.NewPool(routing.PoolOptions{})
	for i := range routing.MaxReady {
		model, err := routing.NewModel("m", money.Price{Input: money.Micros(1+i) * money.USD, Output: 10 * money.USD, CacheRead: money.Unknown})
		if err != nil {
			b.Fatal(err)
		}
		s, err := routing.NewPinned(routing.Pin{
			ID: fmt.Sprintf("seller-%d", i), URL: fmt.Sprintf("https://seller-%d.example", i), Models: []routing.Model{model},
		})
		if err != nil {
			b.Fatal(err)
		}
		pinned = append(pinned, s)
		journal.tokens = append(journal.tokens, ledger.Token{
			ID: s.ID, Seller: s.ID, Origin: s.Origin, CreditMicros: 5 * money.USD, BalanceMicros: 4 * money.USD,
			ExpiresAt: time.Now().Add(24 * time.Hour),
		})
		p, _ := pool.State(s.Key()).Begin(time.Now(), "m", false)
		p.End(time.Now(), routing.Result{FirstContent: time.Duration(100-i) * time.Millisecond})
	}
	desk := purchase.NewDesk(journal, purchase.DeskOptions{})
	desk.SetTerms(purchase.Terms{Amount: 5 * money.USD, RebuyBelow: money.USD / 10, ExpiryMargin: time.Minute})
	for _, name := range []string{"default_first", "cheapest", "fastest", "weighted"} {
		policy, err := routing.NewPolicy(name)
		if err != nil {
			b.Fatal(err)
		}
		table := routing.NewTable(routing.TableOptions{
			Pinned: pinned, Methods: []string{"mock"}, Policy: policy, Pool: pool, Funds: funds{desk},
			Exclusions: routing.NewExclusions(100),
		})
		b.Run(name, func(b *testing.B) {
			q := routing.Query{
				Served: "m", Protocol: dialect.Messages, Path: "/v1/messages", Now: time.Now(), Last: pinned[9].Key(),
				Ceiling: money.Tokens{Prompt: 4_000, Completion: 8_192},
			}
			dst := make([]*routing.Candidate, 0, routing.MaxReady)
			b.ReportAllocs()
			for b.Loop() {
				dst = table.Order(&q, table.Index().Candidates("m", dialect.Messages), dst[:0])
				if len(dst) != routing.MaxReady {
					b.Fatal("somebody is missing")
				}
			}
		})
	}
}

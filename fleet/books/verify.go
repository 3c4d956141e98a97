package books

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// Report is what Verify has found in the entries of all gateways. They hold where OK is true.
type Report struct {
	OK       bool            `json:"ok"`
	Entries  uint64          `json:"entries"` // read
	Gateways []GatewayReport `json:"gateways"`
	Problems []string        `json:"problems,omitempty"` // that are not one entry's
	// Notes are what is no fault of the books, and to be known.
	Notes []string `json:"notes,omitempty"`
}

// GatewayReport is about the entries of one gateway.
type GatewayReport struct {
	fleet.Shipped
	Waiting  uint64 `json:"waiting,omitempty"` // entries that were not shipped yet, of the gateway that tells
	Problem  string `json:"problem,omitempty"`
	Sequence uint64 `json:"sequence,omitempty"` // of the entry that is the problem, with its id
	Entry    string `json:"entry,omitempty"`
}

const (
	verifyStep = 256 // entries between two words of progress
	// settledFor is how long an entry is there before it must have been taken back where another gateway has booked the same.
	settledFor = time.Minute
	// clockSlack is how long what a gateway says may be on its way, and by how much its clock and the store's may differ where it goes by both.
	clockSlack = 5 * time.Second
)

// Verify checks that the entries of each gateway are gapless, linked and as they were, that this gateway's own are those in its ledger, that
// each settlement is booked by one gateway, that what the entries cost is within what was reported of each budget, that what was bought counts in the limits
// of purchases, and that shared tokens are in the store what they are in the books. Progress may be nil.
func (b *Books) Verify(ctx context.Context, progress ledger.Progress) (Report, error) {
	c := &checker{
		Books: b, progress: progress, seed: maphash.MakeSeed(), twice: map[uint64]bool{},
		parts: map[budgetPart]*partSum{}, report: Report{OK: true},
	}
	if err := c.loadParts(ctx); err != nil {
		return c.report, err
	}
	if err := c.loadBought(ctx); err != nil {
		return c.report, err
	}
	if err := c.loadTokens(ctx); err != nil {
		return c.report, err
	}
	for i := range b.Gateways {
		if err := c.gateway(ctx, i); err != nil {
			return c.report, err
		}
		c.meet()
	}
	if err := c.settlements(ctx); err != nil {
		return c.report, err
	}
	c.budgets()
	c.purchases()
	c.sharedTokens()
	slices.Sort(c.report.Problems)
	slices.Sort(c.report.Notes)
	return c.report, nil
}

// checker goes once through the entries, and once more where two gateways may have booked one settlement.
type checker struct {
	*Books
	progress ledger.Progress
	report   Report

	seed    maphash.Seed
	settled []uint64        // hashes of the settlements of gateways that were read, sorted: there may be very many
	here    []uint64        // of the one that is being read
	twice   map[uint64]bool // those that two gateways may have booked
	parts   map[budgetPart]*partSum
	bought  boughtSums
	tokens  tokenSums
}

func (c *checker) problem(format string, v ...any) {
	c.report.OK = false
	c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, v...))
}

func (c *checker) note(format string, v ...any) {
	c.report.Notes = append(c.report.Notes, fmt.Sprintf(format, v...))
}

// gateway checks the entries of one gateway.
func (c *checker) gateway(ctx context.Context, i int) error {
	g := GatewayReport{Shipped: c.Gateways[i]}
	defer func() { c.report.Gateways = append(c.report.Gateways, g) }()
	bad := func(r *fleet.Row, err error) {
		if g.Problem == "" {
			c.report.OK = false
			g.Problem, g.Sequence, g.Entry = err.Error(), r.Seq, r.ID
		}
	}
	var chain fleet.Chain
	err := c.EachOf(ctx, g.Gateway, func(r fleet.Row) error {
		if c.report.Entries++; c.progress != nil && c.report.Entries%verifyStep == 0 {
			c.progress(c.report.Entries, c.Total())
		}
		if g.Problem != "" {
			return nil // what comes after it was not checked
		}
		if err := chain.Next(&r); err != nil {
			bad(&r, err)
			return nil
		}
		if r.Seq == g.Said && r.Hash != g.SaidHash {
			bad(&r, fmt.Errorf("its gateway has said that its hash is %s", g.SaidHash))
		}
		cost, err := ledger.CostOf(r.Entry)
		if err != nil {
			bad(&r, err)
			return nil
		}
		c.count(&r, &cost, i)
		c.tokens.see(&cost, r.Hash, i)
		if err := c.bought.see(&r, i); err != nil {
			bad(&r, err)
		}
		return nil
	})
	if err != nil || g.Problem != "" {
		return err
	}
	switch {
	case chain.Entries != g.Entries || chain.Head != g.Head:
		bad(&fleet.Row{}, fmt.Errorf("there are %d entries, and there have been %d: the end is missing", chain.Entries, g.Entries))
	case g.Entries < g.Said:
		bad(&fleet.Row{}, fmt.Errorf("there are %d entries, and its gateway has said that it has shipped %d: the store has lost the end, which is shipped again when the gateway runs", g.Entries, g.Said))
	case g.Self:
		return c.own(ctx, &g, bad)
	}
	return nil
}

// own holds the entries of this gateway against its ledger.
func (c *checker) own(ctx context.Context, g *GatewayReport, bad func(*fleet.Row, error)) error {
	head, _, err := c.ledger.Head(ctx)
	if err != nil {
		return err
	}
	if g.Waiting = head - min(head, g.Entries); g.Entries == 0 {
		return nil
	}
	same := false
	err = Source{Ledger: c.ledger}.Rows(ctx, g.Entries-1, 1, func(r fleet.Row) error {
		same = r.Seq == g.Entries && r.Hash == g.Head
		return nil
	})
	if err == nil && !same {
		bad(&fleet.Row{Seq: g.Entries}, fmt.Errorf("the ledger's own entry %d is another one, or is missing", g.Entries))
	}
	return err
}

func (c *checker) settlement(cost *ledger.Cost) uint64 {
	return maphash.String(c.seed, cost.Seller+"\x00"+cost.SettlementID)
}

// count counts an entry in budgets, and its settlement.
func (c *checker) count(row *fleet.Row, cost *ledger.Cost, gateway int) {
	if cost.SettlementID != "" {
		c.here = append(c.here, c.settlement(cost))
	}
	if cost.Micros == 0 {
		return
	}
	scopes := scopesOf(row, cost, c.calendar)
	holders(cost, func(group bool, name string) {
		for _, scope := range scopes {
			if p := c.parts[budgetPart{group, name, scope, c.Gateways[gateway].Gateway}]; p != nil {
				p.count(cost.At, cost.Micros)
			}
		}
	})
}

// meet finds what the gateway that was just read has booked, and one before it may have as well.
func (c *checker) meet() {
	slices.Sort(c.here)
	c.here = slices.Compact(c.here)
	for _, key := range c.here {
		if _, found := slices.BinarySearch(c.settled, key); found {
			c.twice[key] = true
		}
	}
	c.settled = append(c.settled, c.here...)
	slices.Sort(c.settled)
	c.here = nil
}

// booking is an entry of a settlement that more than one gateway has booked.
type booking struct {
	ledger.Cost
	gateway string
	fresh   bool
}

// fresh tells whether a gateway runs, and has not said yet that an entry is shipped: it takes back what another one has booked before it says so. What
// takes it back comes behind all that waits there.
func (c *checker) fresh(g *fleet.Shipped, seq uint64) bool {
	return (seq > g.Said || 0 < g.Due && g.Due <= seq) && !g.Keeps && !g.Left && !g.Forgotten && !c.silent(g)
}

// settlements reads again what two gateways may have booked: one of them must have taken it back.
func (c *checker) settlements(ctx context.Context) error {
	if len(c.twice) == 0 {
		return nil
	}
	found, retracted := map[string][]booking{}, map[string]bool{}
	seen := map[string]bool{}
	for i := range c.Gateways {
		g := &c.Gateways[i]
		err := c.EachOf(ctx, g.Gateway, func(r fleet.Row) error {
			cost, err := ledger.CostOf(r.Entry)
			if err != nil {
				return nil //nolint:nilerr // it was found before
			}
			if cost.Retracted != "" {
				retracted[cost.Retracted] = true
			}
			if cost.SettlementID == "" || !c.twice[c.settlement(&cost)] || seen[cost.ID] {
				return nil
			}
			seen[cost.ID] = true // a copy that has got an identity of its own has it too
			key := cost.Seller + "\x00" + cost.SettlementID
			found[key] = append(found[key], booking{cost, cmp.Or(g.Name, g.Gateway), c.fresh(g, r.Seq)})
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, all := range found {
		c.oneOf(all, retracted)
	}
	return nil
}

// oneOf checks that a settlement counts once of those entries that book it under one idempotency key.
func (c *checker) oneOf(all []booking, retracted map[string]bool) {
	first := all[0]
	var count []string
	fresh := ""
	for _, b := range all {
		if time.Since(b.At) < settledFor {
			return // it may be taken back yet
		}
		if b.fresh {
			fresh = b.gateway
		}
	}
	for _, b := range all {
		switch {
		case b.IdempotencyKey != first.IdempotencyKey || b.IdempotencyKey == "":
			c.note("settlement %q of seller %s is booked by %s and %s for different requests: the seller has sent it twice, "+
				"and both count", b.SettlementID, b.Seller, first.gateway, b.gateway)
			return
		case !retracted[b.ID] && b.Micros != 0:
			count = append(count, b.gateway)
		}
	}
	switch {
	case len(count) > 1 && fresh != "":
		c.note("settlement %q of seller %s counts at %v until gateway %s has shipped what takes it back: where that does not come, its log says why", first.SettlementID, first.Seller, count, fresh)
	case len(count) > 1:
		c.problem("settlement %q of seller %s counts at %v, and was charged once: the entries of all but one are taken back while their gateways run", first.SettlementID, first.Seller, count)
	}
}

package gateway

import (
	"net/http"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/prewarm"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// catalogue is what prewarming knows of a config's sellers.
type catalogue struct{ gw *Gateway }

func (c catalogue) Resolve(name string) (model string, ok bool) {
	return c.gw.table.Index().Resolve(name)
}

// Pool gives the candidates that requests for the model are offered first.
func (c catalogue) Pool(model string, p dialect.Protocol) []prewarm.Seller {
	var all []prewarm.Seller
	for _, ready := range c.gw.table.Index().Candidates(model, p).Ready() {
		all = append(all, probed(ready.Candidate))
	}
	return all
}

// Sample gives some of the candidates that are not in the pool, from a place among those on.
func (c catalogue) Sample(model string, p dialect.Protocol, from, n int) []prewarm.Seller {
	candidates := c.gw.table.Index().Candidates(model, p)
	pool := candidates.Ready()
	others := candidates.Len() - len(pool)
	if others <= 0 {
		return nil
	}
	var all []prewarm.Seller
	passed := from % others
	for i := 0; i < 2*candidates.Len() && len(all) < min(n, others); i++ {
		other := candidates.At(i % candidates.Len())
		switch {
		case slices.ContainsFunc(pool, func(r routing.Ready) bool { return r.Candidate == other }):
		case passed > 0:
			passed--
		default:
			all = append(all, probed(other))
		}
	}
	return all
}

func probed(c *routing.Candidate) prewarm.Seller {
	return prewarm.Seller{
		ID: c.Seller.ID, Origin: c.Seller.Origin, BaseURL: c.Seller.BaseURL, Query: c.Seller.Query,
		Methods: c.Methods, Account: c.Seller.Account,
	}
}

// Transport is the one that requests use, so that the connection that a probe leaves is warm for them.
func (c catalogue) Transport(s prewarm.Seller) http.RoundTripper {
	if seller := c.gw.table.Index().Seller(s.ID); seller != nil && seller.Origin == s.Origin {
		return c.gw.transport(seller)
	}
	return c.gw.carrier.Stranger()
}

// Probed tells the pool how a seller's probe went.
func (c catalogue) Probed(s prewarm.Seller, healthy bool, took time.Duration) {
	c.gw.pool.State(routing.SellerKey{ID: s.ID, Origin: s.Origin}).Probed(time.Now(), healthy, took)
}

// usualBody is the size of a usual request, in bytes.
const usualBody = 32 << 10

// Want says how to buy from a seller, and what a usual request is likely to cost there.
func (c catalogue) Want(sellerID, origin, model string) (purchase.Want, bool) {
	index := c.gw.table.Index()
	seller := index.Seller(sellerID)
	if seller == nil || seller.Origin != origin || len(seller.Models) == 0 {
		return purchase.Want{}, false
	}
	found := seller.Models[0].ID
	for _, m := range seller.Models {
		if m.ID == model {
			found = model
		}
	}
	for _, p := range dialect.Protocols {
		if candidate := index.Candidates(found, p).FindKey(seller.Key()); candidate != nil {
			usual := billing.Shape{BodyBytes: usualBody, PromptWhole: true}
			likely := billing.Likely(usual, c.gw.ledger.TypicalCompletion(found), *candidate.Price)
			return c.gw.want(candidate, likely, billing.Bound(usual, *candidate.Price)), true
		}
	}
	return purchase.Want{}, false
}

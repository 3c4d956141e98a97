package gateway

import (
	"net/http"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/config"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// tableOptions is what the config says of sellers, models and payment, and what the market knows of sellers.
func (gw *Gateway) tableOptions(policy selection.Policy) routing.TableOptions {
	o := routing.TableOptions{
		Pinned: gw.settings.Pinned, Aliases: gw.settings.Aliases, DefaultSeller: gw.settings.DefaultSeller,
		Excluded: gw.settings.Excluded,
		Pool:     gw.pool, Policy: policy, Funds: funds{gw.desk}, Exclusions: gw.market.Exclusions,
		Trouble: admin.ObservePolicyFault,
	}
	for _, m := range gw.methods {
		o.Methods = append(o.Methods, m.Name)
	}
	return o
}

// namedSellers are those that the config names by hand beside the list: the default seller, and the one that its policy keeps to.
func (gw *Gateway) namedSellers(policy selection.Policy) []string {
	var all []string
	if gw.settings.DefaultSeller != "" {
		all = append(all, gw.settings.DefaultSeller)
	}
	if manual, ok := policy.(*routing.Manual); ok && manual.Seller != "" {
		all = append(all, manual.Seller)
	}
	return all
}

// fit tells whether a candidate's seller may be asked now, and paid.
func (gw *Gateway) fit(c *routing.Candidate) bool {
	now := time.Now()
	if purse, ok := gw.desk.Purse(c.Seller.ID, c.Seller.Origin); ok {
		if credit, canBuy := purse.Look(now); !credit && !canBuy {
			return false
		}
	}
	return gw.pool.Known(c.Seller.Key()).Fit(now, c.Model) && !gw.dropped(c.Seller)
}

// dropped tells whether this config is gone and those that have taken its place do not name a seller any more, or exclude it: nothing
// more goes there. Where none has, or one does not know yet what its registry says, it is asked as before.
func (gw *Gateway) dropped(s *routing.Seller) bool {
	if !gw.retired.Load() {
		return false
	}
	replaced, named := false, false
	gateways.Range(func(_, v any) bool {
		other := v.(*Gateway)
		if other.market != gw.market || other.retired.Load() {
			return true
		}
		replaced = true
		theirs := other.table.Index().Seller(s.ID)
		named = !other.table.Excluded(s.ID) && (other.undocumented() || theirs != nil && theirs.Origin == s.Origin)
		return !named
	})
	return replaced && !named
}

// funds tells policies where there is credit.
type funds struct{ desk *purchase.Desk }

func (f funds) Purse(s routing.SellerKey) routing.Purse {
	if purse, ok := f.desk.Purse(s.ID, s.Origin); ok {
		return purse
	}
	return nil
}

// want says what a token is needed for.
func (gw *Gateway) want(c *routing.Candidate, likely, bound money.Micros) purchase.Want {
	return purchase.Want{
		SellerID: c.Seller.ID, Origin: c.Seller.Origin, BaseURL: c.Seller.BaseURL, Query: c.Seller.Query, Model: c.Model,
		Methods: gw.namedMethods(c.Methods), Transport: gw.transport(c.Seller), Likely: likely, Bound: bound,
	}
}

// resume says how to go on with a purchase that an earlier process has left open: at the seller where it was begun, by the
// method by which it was, whatever the registry says by now of what that seller takes.
func (gw *Gateway) resume(p ledger.Purchase) (w purchase.Want, known bool) {
	seller := gw.table.Index().Seller(p.Seller)
	if seller == nil || seller.Origin != p.Origin {
		return w, false
	}
	return purchase.Want{
		SellerID: p.Seller, Origin: p.Origin, BaseURL: seller.BaseURL, Query: seller.Query, Model: p.Model,
		Transport: gw.transport(seller), Methods: gw.namedMethods([]string{p.Method}),
	}, true
}

// namedMethods are those of these payment methods that the config has loaded, in the order of the names.
func (gw *Gateway) namedMethods(names []string) []purchase.NamedMethod {
	all := make([]purchase.NamedMethod, 0, len(names))
	for _, name := range names {
		for _, m := range gw.methods {
			if m.Name == name {
				all = append(all, m)
			}
		}
	}
	return all
}

// account is the operator's own at a seller, if there is one.
func (gw *Gateway) account(s *routing.Seller) (own config.Account, ok bool) {
	if !s.Account {
		return own, false
	}
	own, ok = gw.settings.Secrets().Accounts[s.ID]
	return own, ok
}

// transport reaches a seller: as written where the operator named it, with care where a registry did.
func (gw *Gateway) transport(s *routing.Seller) http.RoundTripper {
	if s.Pinned {
		return gw.carrier.Operator()
	}
	return gw.carrier.Stranger()
}

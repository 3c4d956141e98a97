package tokenbuddy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/zeebo/blake3"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/prewarm"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// gateway is what the requests of one running config work with. It lives until the config is gone and its last request has
// ended; what outlives a config is in the market.
type gateway struct {
	*Handler
	market   *market.Market
	registry *routing.Registry // nil: the config has pinned sellers alone
	table    *routing.Table
	carrier  *relay.Carrier
	warmth   *prewarm.Site
	// promptKey makes prompt hashes useless to whoever sees the ledger without its key.
	promptKey [32]byte

	references atomic.Int64
	retired    atomic.Bool // the config's own reference was given back
	closed     chan struct{}
	release    []func() // what to give up at the end, last first
}

// gateways are all that are open, each as its own key: those of older configs too, as long as a request works with them.
var gateways sync.Map

// openGateway opens the market and starts what the config asks for. The gateway comes with one reference. It is current for a
// config that starts, and not for a late request of one that is gone: that must not put its terms over those in force.
func openGateway(h *Handler, current bool) (*gateway, error) {
	key, err := h.ledgerKey()
	if err != nil {
		return nil, err
	}
	m, err := market.Open(market.Options{
		Dir: h.set.ledgerDir, Key: key, Logger: zap.New(liveLog{}).Named("tokenbuddy"),
		LedgerCommitted: admin.ObserveCommit, Purchases: admin.Purchases,
	})
	if err != nil {
		return nil, err
	}
	gw := &gateway{
		Handler: h,
		market:  m,
		table:   routing.NewTable(h.tableOptions(m)),
		carrier: relay.NewCarrier(relay.CarrierOptions{Connect: h.set.failover.connect, Networks: h.set.networks}),
		closed:  make(chan struct{}),
	}
	blake3.DeriveKey("tokenbuddy prompt hash", key, gw.promptKey[:])
	gw.references.Store(1)
	gw.retired.Store(!current) // the one reference is then a request's
	gateways.Store(gw, gw)
	gw.release = append(gw.release, m.Release, gw.carrier.Close, gw.table.Close, m.HoldTable(gw.table), m.HoldTerms(h.set.terms, current))
	if current {
		m.Pool.SetCooldown(h.set.failover.cooldown)
	}
	if r := h.set.registry; r != nil {
		registry, release, err := m.Registry(routing.RegistryOptions{
			URL: r.url, Refresh: r.refresh, Timeout: r.timeout, MaxSize: r.maxSize,
		})
		if err != nil {
			gw.leave()
			return nil, err
		}
		gw.registry = registry
		gw.release = append(gw.release, release, registry.Watch(func(d *routing.Document) {
			gw.table.Update(d)
			m.Desk.SellersChanged()
		}))
	}
	gw.release = append(gw.release, m.HoldResolver(gw.resume))
	site := h.set.prewarm.site(catalogue{gw})
	if gw.registry != nil {
		site.Ready = gw.registry.Ready
	}
	gw.warmth = m.Warmer.Join(site)
	gw.release = append(gw.release, gw.warmth.Leave)
	return gw, nil
}

// ledgerKey is the configured key, else the one in a file beside the ledger's directory, made at the first start.
func (h *Handler) ledgerKey() ([]byte, error) {
	if h.set.ledgerKeySecret != "" {
		return ledger.KeyFromSecret(h.set.ledgerKeySecret), nil
	}
	return ledger.LoadKey(market.KeyFile())
}

// enter takes a reference, unless the last one is gone.
func (gw *gateway) enter() bool {
	for {
		n := gw.references.Load()
		if n == 0 {
			return false
		}
		if gw.references.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave gives back a reference. The last one closes the gateway.
func (gw *gateway) leave() {
	if gw.references.Add(-1) > 0 {
		return
	}
	for i := len(gw.release) - 1; i >= 0; i-- {
		gw.release[i]()
	}
	gateways.Delete(gw)
	close(gw.closed)
}

// background does what outlives the request that it is about. The caller holds a reference.
func (gw *gateway) background(f func()) {
	gw.references.Add(1)
	go func() {
		defer gw.leave()
		f()
	}()
}

// awaitRetired waits until the requests of all configs that are gone have given back their gateways, or ctx is done.
func awaitRetired(ctx context.Context) error {
	var errs []error
	gateways.Range(func(_, v any) bool {
		gw := v.(*gateway)
		if !gw.retired.Load() {
			return true
		}
		select {
		case <-gw.closed:
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("tokenbuddy: %d requests were still open at the end of the grace period; "+
				"what they cost is booked at the next start", gw.references.Load()))
		}
		return true
	})
	return errors.Join(errs...)
}

// retire gives back the config's own reference, once.
func (gw *gateway) retire() {
	if gw.retired.CompareAndSwap(false, true) {
		gw.leave()
	}
}

// tableOptions is what the config says of sellers, models and payment, and what the market knows of sellers.
func (h *Handler) tableOptions(m *market.Market) routing.TableOptions {
	return routing.TableOptions{
		Pinned: h.set.pinned, Aliases: h.set.aliases, Methods: h.set.methods, DefaultSeller: h.set.defaultSeller,
		Pool: m.Pool, Policy: h.policy, Funds: funds{m.Desk}, Exclusions: m.Exclusions,
	}
}

// fit tells whether a candidate's seller may be asked now, and paid.
func (gw *gateway) fit(c *routing.Candidate) bool {
	now := time.Now()
	if purse, ok := gw.market.Desk.Purse(c.Seller.ID, c.Seller.Origin); ok {
		if credit, canBuy := purse.Look(now); !credit && !canBuy {
			return false
		}
	}
	return gw.market.Pool.Known(c.Seller.ID, c.Seller.Origin).Fit(now)
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
func (gw *gateway) want(c *routing.Candidate, hold money.Micros) purchase.Want {
	return purchase.Want{
		SellerID: c.Seller.ID, Origin: c.Seller.Origin, BaseURL: c.Seller.BaseURL, Model: c.Model,
		Methods: gw.namedMethods(c.Methods), Transport: gw.transport(c.Seller), Likely: hold, Bound: hold,
	}
}

// resume says how to go on with a purchase that an earlier process has left open: at the seller where it was begun, by the
// method by which it was, whatever the registry says by now of what that seller takes.
func (gw *gateway) resume(p ledger.Purchase) (w purchase.Want, known bool) {
	seller := gw.table.Index().Seller(p.Seller)
	if seller == nil || seller.Origin != p.Origin {
		return w, false
	}
	w = purchase.Want{
		SellerID: p.Seller, Origin: p.Origin, BaseURL: seller.BaseURL, Model: p.Model, Transport: gw.transport(seller),
	}
	if _, configured := gw.methods[p.Method]; configured {
		w.Methods = gw.namedMethods([]string{p.Method})
	}
	return w, true
}

// namedMethods are the payment methods of these names, which the config has loaded.
func (gw *gateway) namedMethods(names []string) []purchase.NamedMethod {
	all := make([]purchase.NamedMethod, 0, len(names))
	for _, name := range names {
		all = append(all, gw.methods[name])
	}
	return all
}

// account is the operator's own at a seller, if there is one.
func (gw *gateway) account(s *routing.Seller) (own account, ok bool) {
	if !s.Account {
		return own, false
	}
	own, ok = gw.set.accounts[s.ID]
	return own, ok
}

// transport reaches a seller: as written where the operator named it, with care where a registry did.
func (gw *gateway) transport(s *routing.Seller) http.RoundTripper {
	if s.Pinned {
		return gw.carrier.Operator()
	}
	return gw.carrier.Stranger()
}

// hashPrompt gives a keyed hash of a request's body, by which equal prompts can be told without anyone reading them.
func (gw *gateway) hashPrompt(body []byte) string {
	h := gw.hasher()
	_, _ = h.Write(body)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// idempotencyKey is what all attempts at a request carry: made of the member and the client's own key where there is one,
// so that the client's retries are one charge and members can't meet each other's.
func idempotencyKey(member, own string) string {
	if own == "" {
		return uuid.NewString()
	}
	sum := sha256.Sum256([]byte(member + "\x00" + own))
	return hex.EncodeToString(sum[:])
}

func jsonString(s string) string {
	b, _ := json.Marshal(s) // strings always encode
	return string(b)
}

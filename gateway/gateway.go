package gateway

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
	"github.com/tokenbuddy/caddy-tokenbuddy/config"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/prewarm"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Options say what a gateway is opened with.
type Options struct {
	// Settings are what the operator has said.
	Settings *config.Settings
	// Policy orders the sellers of a request.
	Policy routing.Policy
	// Methods are the payment methods that the config has loaded, in order of preference.
	Methods []purchase.NamedMethod
	// Log is the config's own; it goes with the config.
	Log *zap.Logger
	// Shutdown is done when all streams of the process are to end, and all waiting for sellers. A config's context would be
	// wrong for this: it is done after every reload.
	Shutdown context.Context
	// Current is true for a config that starts, and false for a late request of one that is gone: that must not put its terms
	// over those in force.
	Current bool
}

// Gateway is what the requests of one running config work with. It lives until the config is gone and its last request has
// ended; what outlives a config is in the market.
type Gateway struct {
	settings *config.Settings
	policy   routing.Policy
	methods  []purchase.NamedMethod
	log      *zap.Logger
	shutdown context.Context

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

// Open opens the market and starts what the config asks for. The gateway comes with one reference: the config's, which it gives
// back with Retire, or that of the late request.
func Open(o Options) (*Gateway, error) {
	key, err := ledgerKey(o.Settings)
	if err != nil {
		return nil, err
	}
	m, err := market.Open(market.Options{
		Dir: o.Settings.LedgerDir, Key: key, LedgerCommitted: admin.ObserveCommit, Purchases: admin.Purchases,
	})
	if err != nil {
		return nil, err
	}
	gw := &Gateway{
		settings: o.Settings,
		policy:   o.Policy,
		methods:  o.Methods,
		log:      o.Log,
		shutdown: o.Shutdown,
		market:   m,
		carrier:  relay.NewCarrier(relay.CarrierOptions{Connect: o.Settings.Failover.Connect, Networks: o.Settings.Networks}),
		closed:   make(chan struct{}),
	}
	gw.table = routing.NewTable(gw.tableOptions())
	blake3.DeriveKey("tokenbuddy prompt hash", key, gw.promptKey[:])
	gw.references.Store(1)
	gw.retired.Store(!o.Current) // the one reference is then a request's
	gateways.Store(gw, gw)
	gw.release = append(gw.release, m.Release, gw.carrier.Close, gw.table.Close, m.HoldTable(gw.table), m.HoldTerms(o.Settings.Terms, o.Current))
	if o.Current {
		m.Pool.SetCooldown(o.Settings.Failover.Cooldown)
	}
	if r := o.Settings.Registry; r != nil {
		registry, release, err := m.Registry(routing.RegistryOptions{
			URL: r.URL, Refresh: r.Refresh, Timeout: r.Timeout, MaxSize: r.MaxSize,
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
	site := o.Settings.Prewarm
	site.Catalogue = catalogue{gw}
	if gw.registry != nil {
		site.Ready = gw.registry.Ready
	}
	gw.warmth = m.Warmer.Join(site)
	gw.release = append(gw.release, gw.warmth.Leave)
	return gw, nil
}

// ledgerKey is the configured key, else the one in a file beside the ledger's directory, made at the first start.
func ledgerKey(s *config.Settings) ([]byte, error) {
	if s.LedgerKeySecret != "" {
		return ledger.KeyFromSecret(s.LedgerKeySecret), nil
	}
	return ledger.LoadKey(market.KeyFile())
}

// enter takes a reference, unless the last one is gone.
func (gw *Gateway) enter() bool {
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
func (gw *Gateway) leave() {
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
func (gw *Gateway) background(f func()) {
	gw.references.Add(1)
	go func() {
		defer gw.leave()
		f()
	}()
}

// AwaitRetired waits until the requests of all configs that are gone have given back their gateways, or ctx is done. Its error
// says how many requests were still open then.
func AwaitRetired(ctx context.Context) error {
	var errs []error
	gateways.Range(func(_, v any) bool {
		gw := v.(*Gateway)
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

// Retire gives back the config's own reference, once. Requests in flight outlive it.
func (gw *Gateway) Retire() {
	if gw.retired.CompareAndSwap(false, true) {
		gw.leave()
	}
}

// tableOptions is what the config says of sellers, models and payment, and what the market knows of sellers.
func (gw *Gateway) tableOptions() routing.TableOptions {
	o := routing.TableOptions{
		Pinned: gw.settings.Pinned, Aliases: gw.settings.Aliases, DefaultSeller: gw.settings.DefaultSeller,
		Pool: gw.market.Pool, Policy: gw.policy, Funds: funds{gw.market.Desk}, Exclusions: gw.market.Exclusions,
	}
	for _, m := range gw.methods {
		o.Methods = append(o.Methods, m.Name)
	}
	return o
}

// fit tells whether a candidate's seller may be asked now, and paid.
func (gw *Gateway) fit(c *routing.Candidate) bool {
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
func (gw *Gateway) want(c *routing.Candidate, hold money.Micros) purchase.Want {
	return purchase.Want{
		SellerID: c.Seller.ID, Origin: c.Seller.Origin, BaseURL: c.Seller.BaseURL, Model: c.Model,
		Methods: gw.namedMethods(c.Methods), Transport: gw.transport(c.Seller), Hold: hold,
	}
}

// resume says how to go on with a purchase that an earlier process has left open: at the seller where it was begun, by the
// method by which it was, whatever the registry says by now of what that seller takes.
func (gw *Gateway) resume(p ledger.Purchase) (w purchase.Want, known bool) {
	seller := gw.table.Index().Seller(p.Seller)
	if seller == nil || seller.Origin != p.Origin {
		return w, false
	}
	w = purchase.Want{
		SellerID: p.Seller, Origin: p.Origin, BaseURL: seller.BaseURL, Model: p.Model, Transport: gw.transport(seller),
	}
	w.Methods = gw.namedMethods([]string{p.Method})
	return w, true
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
	own, ok = gw.settings.Accounts[s.ID]
	return own, ok
}

// transport reaches a seller: as written where the operator named it, with care where a registry did.
func (gw *Gateway) transport(s *routing.Seller) http.RoundTripper {
	if s.Pinned {
		return gw.carrier.Operator()
	}
	return gw.carrier.Stranger()
}

// hashPrompt gives a keyed hash of a request's body, by which equal prompts can be told without anyone reading them.
func (gw *Gateway) hashPrompt(body []byte) string {
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

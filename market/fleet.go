package market

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/books"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// FleetOptions say in which fleet a market is.
type FleetOptions struct {
	// Engine opens the fleet's store, where the market is not open yet.
	Engine *Engine
	// Config is what the following was made from. While a market is open, no config with another one can share it.
	Config string
	// Name is what people call this gateway.
	Name string
	// HoldOut is for how long spending should go on while the store is away, and Wait what a request waits for a grant at the most.
	HoldOut, Wait time.Duration
	// Books says that entries are shipped.
	Books bool
	// Tokens says that bought tokens are shared.
	Tokens bool
	// PurchaseAhead is what is set aside of the purchase limits.
	PurchaseAhead money.Micros
}

// config is what of a market's options its fleet goes by; empty: it is in none.
func (o *FleetOptions) config() string {
	if o == nil {
		return ""
	}
	return o.Config
}

// Fleet is a market's part of a fleet.
type Fleet struct {
	*fleet.Fleet
	// Store is what the fleet shares.
	Store fleet.Store
	// Tokens are the shared ones; nil: each gateway's are its own.
	Tokens *fleet.Tokens

	options   *FleetOptions
	rates     *fleet.Rates
	purchases *fleet.Purchases
	shipper   *fleet.Shipper // nil: entries stay here
	log       *zap.Logger
}

// How long the store may take to open, what is to be said to it may, at the end, and giving up its engine.
const (
	fleetOpens  = 10 * time.Second
	fleetCloses = 4 * time.Second
)

// openFleet opens the store, and has budgets, rates and purchases go by what the fleet sets aside.
func (m *Market) openFleet(o *FleetOptions) error {
	ctx, stop := context.WithTimeout(context.Background(), fleetOpens)
	defer stop()
	log := m.logger.Named("fleet")
	store, err := fleet.Open(ctx, o.Engine.Engine, log)
	if err != nil {
		return fmt.Errorf("fleet: opening its store: %w", err)
	}
	o.Engine.hold()
	boot := rand.Text()
	options := fleet.Options{
		Store: store, Gateway: m.Ledger.Identity(), Name: o.Name, Version: version(), Boot: boot, Epoch: m.Ledger.Epoch(), HoldOut: o.HoldOut, Wait: o.Wait,
		Durable: m.booked, Holder: m.Ledger.Attend, Digest: m.digest, Happened: m.fleetHappened, Logger: log,
	}
	var shipper *fleet.Shipper
	var f *fleet.Fleet
	if o.Books {
		shipper = fleet.NewShipper(fleet.ShipperOptions{
			Store: store, Gateway: m.Ledger.Identity(), Source: books.Source{Ledger: m.Ledger, TakenBack: m.takenBack}, Speaks: func(ctx context.Context) error { return f.Speaks(ctx) },
			Fenced: func(err error) { f.Fence(err) }, Logger: log,
		})
		options.Head, options.Due, options.Booked = shipper.Head, shipper.Due, books.BookedBy(store, m.Calendar)
	} else {
		options.Own = m.Ledger.Head
	}
	f = fleet.New(options)
	if err := ofTheFleet(ctx, f, shipper, books.Source{Ledger: m.Ledger}); err != nil {
		closeStore(store, log)
		o.Engine.Release()
		return err
	}
	rates := fleet.NewRates(fleet.RatesOptions{Store: store, Gateway: m.Ledger.Identity(), Boot: boot, Wait: o.Wait, Logger: log})
	purchases := fleet.NewPurchases(fleet.PurchasesOptions{
		Store: store, Gateway: m.Ledger.Identity(), Boot: boot, Epoch: m.Ledger.Epoch(), Restored: m.Ledger.Restored(), Books: fleetBooks{m.Ledger}, Ahead: o.PurchaseAhead,
		Lends: o.Tokens, Logger: log,
		Forgiven: func(seller string) { m.Desk.Forgiven(seller) },
	})
	m.Fleet = &Fleet{Fleet: f, Store: store, options: o, rates: rates, purchases: purchases, shipper: shipper, log: log}
	if o.Tokens || m.restOfTokens(ctx, store, log) {
		m.Fleet.Tokens = fleet.NewTokens(fleet.TokensOptions{
			Store: store, Gateway: m.Ledger.Identity(), Boot: boot, Epoch: m.Ledger.Epoch(), Purse: purse{m}, Rest: !o.Tokens, Fenced: f.Fence, Logger: log,
		})
	}
	m.Rates = fleetRates{rates}
	m.Ledger.SetShares(shares{f})
	rates.Start()
	f.Start()
	return nil
}

// startFleet begins what goes on beside requests until ctx ends, once the desk is there, to which it may speak.
func (m *Market) startFleet(ctx context.Context) {
	m.Fleet.purchases.Start()
	if m.Fleet.shipper != nil {
		m.Fleet.shipper.Start()
	}
	if m.Fleet.Tokens != nil {
		m.Fleet.Tokens.Start()
	}
	m.shareResponses(ctx, m.Fleet.Store)
	m.tending.Go(func() { m.Orders.Watch(ctx) })
	m.tending.Go(func() { m.tellSpent(ctx) })
	if m.Fleet.Tokens != nil {
		m.tending.Go(func() { m.shareTries(ctx) })
	}
}

// takenBack has the desk, and who counts, go by what the books have taken back.
func (m *Market) takenBack(r ledger.Retraction) {
	if m.Desk == nil { // this is the end of a market that has not come to one
		return
	}
	if r.Given != nil {
		m.Desk.GiveBack(*r.Given)
	}
	if !r.Ours {
		return
	}
	if r.Wasted {
		m.Desk.Rewaste(r.Seller, r.CountedMicros)
	}
	if m.corrected != nil {
		m.corrected(r.Seller, r.Corrected)
	}
}

// restOfTokens tells whether a gateway that shares no tokens is to go on with those that the fleet has shared: there is something left of them, and its
// key is theirs. Where the key is another one the log says what is left.
func (m *Market) restOfTokens(ctx context.Context, store fleet.Store, log *zap.Logger) bool {
	left, err := fleet.Unspent(ctx, store)
	if err != nil || left <= 0 {
		return false
	}
	if proof, err := fleet.SharedKey(ctx, store); err == nil && proof != nil && m.Ledger.OpensProof(proof) {
		log.Info("fleet.tokens.rest", zap.Int64("micros", int64(left)), zap.String("hint", "bought tokens that the fleet's gateways have shared: this one spends "+
			"of those of which no other has anything set aside, before it buys"))
		return true
	}
	log.Warn("fleet.tokens.left", zap.Int64("micros", int64(left)), zap.String("hint", "bought tokens that the fleet's gateways have shared: only "+
		"those with their key in the ledger block spend of them"))
	return false
}

// ofTheFleet refuses books that are behind what the fleet knows of them, or other ones. Where that can't be found out now it is later.
func ofTheFleet(ctx context.Context, f *fleet.Fleet, shipper *fleet.Shipper, own books.Source) (err error) {
	if shipper != nil {
		err = shipper.Check(ctx)
	} else {
		err = f.Precedes(ctx, own.HashOf)
	}
	if errors.Is(err, fleet.ErrBehind) || errors.Is(err, fleet.ErrFork) {
		return err
	}
	return nil
}

// booked waits until all that was booked before the call is durable, and gives how many entries there are since.
func (m *Market) booked(ctx context.Context) (entries uint64, err error) {
	entries, _, err = m.Ledger.Head(ctx)
	return entries, err
}

// shares are the fleet's, as the ledger asks for them.
type shares struct{ *fleet.Fleet }

func (s shares) Of(group bool, name string, spent [3]map[string]money.Micros) ledger.Share {
	return s.Fleet.Of(group, name, spent)
}

// close gives back what is set aside, while the ledger is still open. All of it is told at the same time: with a store that does not
// answer each would wait in vain after the other.
func (f *Fleet) close(log *zap.Logger) {
	var limits sync.WaitGroup
	limits.Go(f.rates.Close)
	limits.Go(f.purchases.Close)
	ctx, stop := context.WithTimeout(context.Background(), fleetCloses)
	defer stop()
	if f.Tokens != nil {
		f.Tokens.Close(ctx) // what it books is shipped yet
	}
	if f.shipper != nil {
		if err := f.shipper.Close(ctx); err != nil {
			log.Warn("fleet.close.failed", zap.Error(err), zap.String("hint", "entries that were not shipped are when it starts again"))
		}
	}
	if err := f.Close(ctx); err != nil {
		log.Warn("fleet.close.failed", zap.Error(err), zap.String("hint", "what is set aside for this gateway comes back when it starts again"))
	}
	limits.Wait()
	closeStore(f.Store, log)
	f.options.Engine.Release()
}

func closeStore(s fleet.Store, log *zap.Logger) {
	if c, ok := s.(io.Closer); ok {
		if err := c.Close(); err != nil {
			log.Warn("fleet.close.failed", zap.Error(err))
		}
	}
}

// State gives how this gateway's part of the fleet stands; of what was refused, by rates too.
func (f *Fleet) State() fleet.State {
	s := f.Fleet.State()
	s.RefusedAway += f.rates.RefusedAway()
	return s
}

// Drop forgets a gateway that will not come back, by an operator's word.
func (f *Fleet) Drop(ctx context.Context, gateway string, byBooks bool, by string) (fleet.Forgot, error) {
	forgot, err := f.Forget(ctx, gateway, byBooks)
	if err == nil {
		f.log.Warn("fleet.forget.ordered", zap.String("gateway", gateway), zap.String("by", by))
	}
	return forgot, err
}

// Begin begins a session of purchases, by an operator's word.
func (f *Fleet) Begin(ctx context.Context, by string) (fleet.Session, error) {
	session, err := f.NewSession(ctx)
	if err == nil {
		f.log.Info("fleet.session.begun", zap.Uint64("session", session.N), zap.String("by", by))
	}
	return session, err
}

// Name is what people call this gateway.
func (f *Fleet) Name() string { return f.options.Name }

// Aside is what all gateways have set aside of the purchase limits of today, for when the store is away.
func (f *Fleet) Aside() money.Micros { return f.purchases.Aside() }

// OwnAside is what is left of this gateway's part of that.
func (f *Fleet) OwnAside() money.Micros { return f.purchases.OwnAside() }

// Ships tells whether entries are shipped.
func (f *Fleet) Ships() bool { return f.shipper != nil }

// Shipped is how many of this gateway's entries the store has.
func (f *Fleet) Shipped() uint64 {
	if f.shipper == nil {
		return 0
	}
	seq, _ := f.shipper.Head()
	return seq
}

// ShipLag is for how long entries have been waiting to be shipped.
func (f *Fleet) ShipLag() time.Duration {
	if f.shipper == nil {
		return 0
	}
	return f.shipper.Lag()
}

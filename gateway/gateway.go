package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/zeebo/blake3"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/config"
	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/events"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/prewarm"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// Options say what a gateway is opened with.
type Options struct {
	// Settings are what the operator has said.
	Settings *config.Settings
	// Policy orders the sellers of a request.
	Policy selection.Policy
	// Methods are the payment methods that the config has loaded, in order of preference.
	Methods []*Method
	// Context is the config's, in which a selection policy is loaded that is put over the config's own.
	Context caddy.Context
	// Log is the config's own; it goes with the config.
	Log *zap.Logger
	// Shutdown is done when all streams of the process are to end, and all waiting for sellers. A config's context would be
	// wrong for this: it is done after every reload.
	Shutdown context.Context
	// SharedLog is what the parts that outlive this config log through, as long as it is the newest.
	SharedLog *zap.Logger
	// Fleet is the fleet that the gateway is in; nil: none.
	Fleet *market.FleetOptions
	// Current is true for a config that starts, and false for a late request of one that is gone: that joins nothing.
	Current bool
}

// Gateway is what the requests of one running config work with. It lives until the config is gone and its last request has
// ended; what outlives a config is in the market.
type Gateway struct {
	settings *config.Settings
	methods  []purchase.NamedMethod
	log      *zap.Logger
	shutdown context.Context

	// Of the market, which other configs work with too.
	market        *market.Market
	ledger        Ledger
	desk          *purchase.Desk
	pool          *routing.Pool
	rates         market.Rates
	conversations *routing.Affinity
	responses     *routing.Responses

	// The config's own.
	registry *routing.Registry // nil: the config has pinned sellers alone
	informed atomic.Bool       // the table has had a document of the registry
	inform   sync.Mutex        // held while it is given one late
	table    *routing.Table
	lists    []*list // of the pinned sellers that have one
	carrier  *relay.Carrier
	warmth   *prewarm.Site // nil: opened for a late request
	hashers  *hashers
	prompts  *promptHasher
	name     string // of this gateway in a Via header: that of all that share its ledger

	unfinished unfinished // of what requests wait for

	// inFleet is since when the config runs in a fleet; zero: it is in none.
	inFleet time.Time
	// named hashes what responses are known by, namedBefore what those are that were made before the gateway was in a fleet, or in it.
	named, namedBefore *hashers

	known      atomic.Pointer[people]
	references references
	retired    atomic.Bool // the config is gone
	closed     chan struct{}
	joined     []func() // how to leave what goes on for a config while it runs, last first
	needs      []func() // how to give up what its requests need, last first
}

// Ledger is what the requests need of the ledger; *ledger.Ledger is one.
type Ledger interface {
	// Ready is nil while what is sent can be booked; Err while the ledger works at all.
	Ready() error
	Err() error
	TypicalCompletion(model string) int64
	Reserve(member string, b ledger.Budget, groups ...ledger.GroupBudget) *ledger.Reservation
	Refresh(ctx context.Context, members, groups []string)
	SpentBy(ctx context.Context, member string) (ledger.Budget, error)
	SpentInAll(ctx context.Context, member string) (money.Micros, error)
	PlaceHold(h ledger.Hold) *ledger.Commit
	ReleaseHold(id string) *ledger.Commit
	Settle(in ledger.Inference) *ledger.Settling
	Waste(in ledger.Inference) *ledger.Settling
}

// gateways are all that are open, each as its own key: those of older configs too, as long as a request works with them.
var gateways sync.Map

// Open opens the market and starts what the config asks for. The gateway comes with one reference: the config's, which it gives
// back with Retire, or that of the late request.
func Open(o Options) (*Gateway, error) {
	key, file, err := ledgerKey(o.Settings)
	if err != nil {
		return nil, err
	}
	calendar := ledger.Calendar{Zone: o.Settings.Zone, Week: o.Settings.Week}
	m, err := market.Open(market.Options{
		Dir: o.Settings.LedgerDir, Key: key, KeyFile: file, Log: o.SharedLog, LedgerCommitted: admin.ObserveCommit, Purchases: purchases,
		LedgerStopped: ledgerStopped, CircuitOpened: circuitOpened, MemberChanged: events.ChangeMember, FleetHappened: fleetHappened, Fleet: o.Fleet,
		Calendar: &calendar, Corrected: admin.ObserveCorrection,
	})
	if err != nil {
		return nil, err
	}
	gw := &Gateway{
		settings: o.Settings, log: o.Log, shutdown: o.Shutdown,
		market: m, ledger: m.Ledger, desk: m.Desk, pool: m.Pool, rates: m.Rates, conversations: m.Conversations, responses: m.Responses,
		carrier: relay.NewCarrier(relay.CarrierOptions{Connect: o.Settings.Failover.Connect, Networks: o.Settings.Networks}),
		closed:  make(chan struct{}),
	}
	unwatch := context.AfterFunc(o.Shutdown, gw.unfinished.end)
	gw.needs = []func(){m.Release, gw.carrier.Close, func() { unwatch() }}
	if o.Current {
		gw.offer(o.Methods)
	} else {
		gw.nameMethods(o.Methods)
	}
	gw.table = routing.NewTable(gw.tableOptions(o.Policy))
	gw.recallLists(o.Current)
	if o.Fleet != nil {
		gw.inFleet = time.Now()
	}
	if err := gw.makeHashers(key); err != nil {
		undo(gw.needs)
		return nil, err
	}
	gw.needs = append(gw.needs, gw.table.Close)
	gw.references.Store(1)
	if !o.Current {
		gw.retired.Store(true)
	} else if err := gw.join(o, calendar); err != nil {
		gw.Retire()
		return nil, err
	}
	gateways.Store(gw, gw) // whole, since requests of older configs ask it what it knows
	return gw, nil
}

// makeHashers makes of the ledger's key those by which members, conversations and prompts are known, and this gateway in a Via header.
func (gw *Gateway) makeHashers(key []byte) (err error) {
	var hashKey, promptKey [32]byte
	blake3.DeriveKey("tokenbuddy prompt hash", key, hashKey[:])
	gw.hashers = newHashers(hashKey)
	gw.nameResponses(!gw.inFleet.IsZero())
	blake3.DeriveKey("tokenbuddy prompt hash, by XXH3 and AES", key, promptKey[:])
	if gw.prompts, err = newPromptHasher(promptKey); err != nil {
		return err
	}
	name := gw.hashers.end(gw.hashers.begin("via"))
	gw.name = "tokenbuddy-" + hex.EncodeToString(name[:6])
	return nil
}

// join starts what goes on for a config while it runs, beside its requests.
func (gw *Gateway) join(o Options, calendar ledger.Calendar) error {
	m := gw.market
	terms := market.Terms{
		Purchase: o.Settings.Terms, Cooldown: o.Settings.Failover.Cooldown,
		Calendar: calendar, Retain: o.Settings.LedgerRetain,
	}
	gw.joined = append(gw.joined, gw.watchSecrets(), m.HoldLog(o.SharedLog), m.HoldTable(gw.table, o.Context), m.HoldTerms(terms), m.Orders.HoldTeam(gw.team))
	if r := o.Settings.Registry; r != nil {
		registry, release, err := m.Registry(*r)
		if err != nil {
			return err
		}
		gw.registry = registry
		named := gw.namedSellers(o.Policy)
		gw.joined = append(gw.joined, m.HoldNamed(gw.table, named), release, registry.Watch(func(d *routing.Document) {
			gw.table.Update(d)
			gw.informed.Store(true)
			gw.desk.SellersChanged()
			for _, id := range market.Unknown(gw.table, named) {
				gw.log.Warn("selection.seller.unknown", zap.String("seller", id),
					zap.String("hint", "it stands in default_seller or selection manual, and neither the registry nor the config has it: is it mistyped?"))
			}
		}))
	}
	gw.joined = append(gw.joined, m.HoldResolver(gw.resume), gw.watchLists())
	site := o.Settings.Prewarm
	site.Catalogue = catalogue{gw}
	if gw.registry != nil {
		site.Ready = gw.registry.Ready
	}
	gw.warmth = m.Warmer.Join(site)
	gw.joined = append(gw.joined, gw.warmth.Leave)
	return nil
}

// inherit has a gateway that was opened for a late request know the sellers that its config has known.
func (gw *Gateway) inherit(before *Gateway) {
	if before.registry == nil {
		return
	}
	gw.registry = before.registry
	gw.catchUp()
}

// catchUp has the table know the registry's document where it has never had one: the config was gone when the first one came, or
// never joined what goes on.
func (gw *Gateway) catchUp() {
	doc := gw.registry.Document()
	if doc == nil || gw.informed.Load() {
		return
	}
	gw.inform.Lock()
	defer gw.inform.Unlock()
	if !gw.informed.Load() {
		gw.table.Update(doc)
		gw.informed.Store(true)
	}
}

// ledgerKey is the configured key, else the one in a file beside the ledger's directory, made at the first start.
func ledgerKey(s *config.Settings) (key []byte, file string, err error) {
	if s.LedgerKeySecret != "" {
		return store.KeyFromSecret(s.LedgerKeySecret), "", nil
	}
	file = market.KeyFile()
	key, err = store.LoadKeyOf(s.LedgerDir, file)
	return key, file, err
}

// touch says that a model is asked for, so that it is kept warm.
func (gw *Gateway) touch(served string, p dialect.Protocol) {
	if gw.warmth != nil {
		gw.warmth.Touch(served, p)
	}
}

// enter takes a reference, unless the last one is gone.
func (gw *Gateway) enter() bool { return gw.references.take() }

// leave gives back a reference. The last one closes the gateway.
func (gw *Gateway) leave() {
	if gw.references.give() {
		gw.close()
	}
}

func (gw *Gateway) close() {
	undo(gw.needs)
	gateways.Delete(gw)
	close(gw.closed)
}

// undo calls all of them, the last first.
func undo(all []func()) {
	for _, f := range slices.Backward(all) {
		f()
	}
}

// Retire ends what goes on for the config, at once, and gives back the config's own reference. Requests in flight go on with what
// they have: the sellers as they were known, but of those only such as a running config still names. It may be called
// again.
func (gw *Gateway) Retire() {
	if gw.retired.CompareAndSwap(false, true) {
		undo(gw.joined)
		gw.leave()
	}
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

// Package market holds what exists once per ledger directory and outlives a config: the ledger, the purchase desk, the
// registries, what is known of the sellers, prewarming, the orders of operators, and this gateway's part of a fleet. It starts and stops
// them, and has them know of each other; configs and the requests of a config hold a reference.
package market

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/zeebo/blake3"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/orders"
	"github.com/tokenbuddy/caddy-tokenbuddy/prewarm"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// pool keeps a market alive over a reload: the new config takes its reference before the old one gives up its own.
var pool = caddy.NewUsagePool()

// Options say which market is wanted and what to make it of where it is not open yet.
type Options struct {
	// Dir is the ledger's directory. Two configs that name the same directory share one market.
	Dir string
	// Key seals tokens at rest: 32 bytes.
	Key []byte
	// KeyFile is where the key was read from; empty: it stands in the config.
	KeyFile string
	// Log is what the market logs through from the beginning, as with HoldLog; nil: Caddy's default log.
	Log *zap.Logger
	// LedgerCommitted, where set, is told how long each commit of the ledger took.
	LedgerCommitted func(time.Duration)
	// LedgerStopped, where set, is told why when the ledger stops for good. It must not block.
	LedgerStopped func(dir string, err error)
	// CircuitOpened, where set, is told of each circuit that opens: a seller's, or that of a model there. It must not block.
	CircuitOpened func(s *routing.State, model, reason string)
	// MemberChanged, where set, is told of each change of a member at run time: what was done, who has, and from where. It must not block.
	MemberChanged func(member, change, by, from string)
	// FleetHappened, where set, is told of what has happened in the fleet, in which ledger's directory, and why, where that is known. It must
	// not block.
	FleetHappened func(what fleet.Happening, dir, why string)
	// Corrected, where set, is told by how much the cost of a request that is booked has changed in the fleet. It must not block.
	Corrected func(seller string, by ledger.Corrected)
	// Fleet is the fleet that the market is in; nil: none.
	Fleet *FleetOptions
	// Calendar says when the days, weeks and months of budgets begin, until HoldTerms does; nil: as in UTC. A fleet is told by it from the
	// beginning.
	Calendar *ledger.Calendar
	// Purchases watches the purchase desk.
	Purchases purchase.Observer
}

// Market is what the sites of one ledger directory share.
type Market struct {
	Ledger *ledger.Ledger
	Desk   *purchase.Desk
	Pool   *routing.Pool // what is known of the sellers
	Warmer *prewarm.Warmer
	// Orders are what operators have said at run time.
	Orders *orders.Orders

	// Conversations and Responses remember which seller serves a conversation, and has made a response.
	Conversations *routing.Affinity
	Responses     *routing.Responses
	// Rates hold members to how often they may ask.
	Rates Rates
	// Recent remembers the last requests.
	Recent *recent.Memory
	// Fleet is this gateway's part of a fleet; nil: it is in none.
	Fleet *Fleet
	// Exclusions are the sellers that do not have a model that the registry says they have.
	Exclusions *routing.Exclusions

	dir         string
	fleetConfig string // what its fleet goes by
	// fleetHappened is told of what has happened there; nil: nobody is.
	fleetHappened func(what fleet.Happening, why string)
	corrected     func(seller string, by ledger.Corrected)
	keyFile       string
	keyDigest     [sha256.Size]byte
	listKey       [32]byte // of the digests that lists of models are known by
	log           newestLog
	logger        *zap.Logger // over log
	stopDesk      context.CancelFunc
	tending       sync.WaitGroup
	carrier       *relay.Carrier // for registries, which outlive the configs that name them
	made          *responseStore // of Responses

	terms     running[Terms]
	resolvers running[Resolver]
	named     running[named]
	secrets   running[atomic.Pointer[string]] // what is wrong with those of each config; nil or empty: nothing is
	tables    running[routing.Table]

	mu         sync.Mutex // protects the following fields, and is held while terms are put in force
	registries map[string]*sharedRegistry
	lists      map[string]*List // of pinned sellers, by what they are of
}

// Open gives the market of a ledger directory, opening it where no config has it open yet. Each Open wants its Release.
func Open(o Options) (*Market, error) {
	dir, err := Resolve(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("ledger directory %s: %w", o.Dir, err)
	}
	v, _, err := pool.LoadOrNew(dir, func() (caddy.Destructor, error) { return open(dir, o) })
	noteRoom(dir, err)
	if err != nil {
		return nil, err
	}
	m := v.(*Market)
	digest := sha256.Sum256(o.Key)
	if subtle.ConstantTimeCompare(digest[:], m.keyDigest[:]) != 1 {
		m.Release()
		return nil, fmt.Errorf("ledger %s is open with another key: sites that share a ledger need the same one", dir)
	}
	if o.Fleet.config() != m.fleetConfig {
		m.Release()
		return nil, fmt.Errorf("ledger %s is open with another fleet block, or with none: a reload does not change it, restart the process", dir)
	}
	return m, nil
}

func open(dir string, o Options) (*Market, error) {
	shared := newestLog{cores: new(running[zapcore.Core])}
	log := zap.New(shared).Named("tokenbuddy")
	m := &Market{dir: dir, keyFile: o.KeyFile, keyDigest: sha256.Sum256(o.Key), log: shared, logger: log, registries: make(map[string]*sharedRegistry)}
	blake3.DeriveKey("tokenbuddy lists of models", o.Key, m.listKey[:])
	m.Rates = ownRates{new(member.Rates)}
	defer m.HoldLog(o.Log)() // who opens the market holds it again
	before, err := m.openBooks(o)
	if err != nil {
		return nil, err
	}
	keepPrivate(dir, log.Named("ledger"))
	ctx, stop := context.WithCancel(context.Background())
	m.stopDesk = stop
	m.carrier = relay.NewCarrier(relay.CarrierOptions{Connect: 10 * time.Second})
	if m.Fleet != nil {
		before.desk = purchase.Past{} // its store knows, also what was forgiven meanwhile
	}
	m.Desk = purchase.NewDesk(m.journal(), purchase.DeskOptions{
		Logger: log.Named("purchase"), Observer: o.Purchases, Opened: m.touch, Resolve: m.resolve, Past: before.desk,
	})
	changed := func(s *routing.State) { m.touch(s.ID()) }
	m.Pool = routing.NewPool(routing.PoolOptions{Logger: log.Named("routing"), Changed: changed, Met: changed, Opened: o.CircuitOpened})
	said := orders.Options{Ledger: m.Ledger, Dir: dir, Pool: m.Pool, Logger: log, MemberChanged: o.MemberChanged}
	if m.Fleet != nil {
		said.Store = m.Fleet.Store
	}
	m.Orders = orders.New(said)
	m.Conversations = routing.NewAffinity(routing.Conversations)
	m.made = &responseStore{ledger: m.Ledger, logger: log}
	if m.Responses, err = routing.NewResponses(routing.MaxResponses, m.made, time.Now()); err != nil {
		log.Error("responses.unread", zap.Error(err)) // conversations that build on them have to begin anew
	}
	m.Recent = recent.New()
	m.Exclusions = routing.NewExclusions(maxExclusions)
	m.Desk.Start(ctx)
	m.Warmer = prewarm.New(prewarm.Options{History: m.Ledger, Desk: m.Desk, Logger: log.Named("prewarm")})
	m.tending.Go(func() { m.tend(ctx) })
	if m.Fleet != nil {
		m.startFleet(ctx)
	}
	return m, nil
}

// openBooks opens the ledger, and the fleet that is told of it, where there is one. It gives what a market before this one has left.
func (m *Market) openBooks(o Options) (before past, err error) {
	stopped := func(err error) {
		if o.LedgerStopped != nil {
			o.LedgerStopped(m.dir, err)
		}
	}
	l, err := ledger.Open(ledger.Options{
		Stopped: stopped,
		Dir:     m.dir, Key: o.Key, Anchor: AnchorFile(m.dir), Logger: m.logger.Named("ledger"), Observe: o.LedgerCommitted, Shared: o.Fleet != nil,
	})
	if err != nil {
		return past{}, err
	}
	m.Ledger, m.fleetConfig = l, o.Fleet.config()
	before = pastOf(m.dir) // not before the ledger is ours: another market leaves it as it closes
	if err := l.GoOn(before.session); err != nil {
		return past{}, errors.Join(err, l.Close())
	}
	if o.Calendar != nil { // before what was spent is told to anybody
		if err := l.SetCalendar(context.Background(), *o.Calendar); err != nil {
			return past{}, errors.Join(err, l.Close())
		}
	}
	if o.Fleet == nil {
		return before, nil
	}
	m.corrected = o.Corrected
	if o.FleetHappened != nil {
		m.fleetHappened = func(what fleet.Happening, why string) { o.FleetHappened(what, m.dir, why) }
	}
	if err := m.openFleet(o.Fleet); err != nil {
		return past{}, errors.Join(err, l.Close())
	}
	return before, nil
}

// Release gives up one reference; the last one closes the market.
func (m *Market) Release() {
	if _, err := pool.Delete(m.dir); err != nil {
		m.logger.Error("ledger.close.failed", zap.Error(err))
	}
}

// Destruct ends the desk and then closes the ledger that it writes to.
func (m *Market) Destruct() error {
	m.Warmer.Close()
	m.stopDesk()
	m.tending.Wait()
	m.Desk.Close()
	m.carrier.Close()
	if m.Fleet != nil {
		m.Fleet.close(m.logger)
	}
	m.leavePast() // before another market can have the directory
	return m.Ledger.Close()
}

// maxExclusions is how many sellers can be left out for a model and path at once; the oldest are forgotten first.
const maxExclusions = 4096

// tend moves on, each minute, the sample of sellers that are kept ready beside the best, and forgets those that are no longer
// named anywhere. Once a day it takes away what was kept of registries and lists that nobody uses: first when all configs have had the time to
// name theirs.
func (m *Market) tend(ctx context.Context) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	var tidied time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if time.Since(tidied) >= tidyEvery {
			tidied = time.Now()
			m.tidyCaches(tidied)
		}
		tables := m.tables.now()
		for _, t := range tables {
			t.Sweep()
		}
		m.Pool.Forget(time.Now(), func(k routing.SellerKey) bool { return namedIn(tables, k) })
	}
}

// touch has the tables look again at a seller.
func (m *Market) touch(sellerID string) {
	for _, t := range m.tables.now() {
		t.Touch(sellerID)
	}
}

// Dir is the absolute path of the ledger's directory.
func (m *Market) Dir() string { return m.dir }

// All gives every open market, in no order. It is for looking in, not for the request path.
func All() []*Market {
	var all []*Market
	pool.Range(func(_, v any) bool {
		if m, ok := v.(*Market); ok {
			all = append(all, m)
		}
		return true
	})
	return all
}

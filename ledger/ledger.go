// Package ledger owns the books of one gateway: the journal of entries and its chain, accounts, holds, purchases, tokens
// at rest, day rollups, their verification, and the one committer that writes them to Badger.
//
// Everything that changes the books is a command in one queue. The committer takes what is queued, checks and applies each
// command to the state in memory, writes all of it in one transaction, syncs it, and then tells who waits; the entry that takes
// the place of a hold may be told before the sync. The state in memory is what the checks go by; what is on disk is the same, or,
// after a failed commit, unknown: then the ledger stops for good and says so until the process starts again.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// ErrClosed is what commands get after Close.
var ErrClosed = errors.New("ledger: closed")

// ErrReadOnly refuses what would change the books of a ledger that was opened to be read.
var ErrReadOnly = errors.New("ledger: opened to be read only")

// What may be in the error of Open, and of Ready.
var (
	ErrNoLedger    = store.ErrNoLedger    // with ReadOnly: there is nothing to read
	ErrInUse       = store.ErrInUse       // another process has the directory
	ErrWrongKey    = store.ErrWrongKey    // the key is not the one that the ledger was made with
	ErrNotAnchored = store.ErrNotAnchored // the directory does not hold the books that were there
	ErrNoRoom      = store.ErrNoRoom      // the disk is nearly full
)

// NoRoom tells whether a ledger, or what is kept beside it, could not be opened because a disk is full: by our own measure
// (ErrNoRoom) or by the system's.
func NoRoom(err error) bool {
	return errors.Is(err, ErrNoRoom) || errors.Is(err, syscall.ENOSPC)
}

// Options say how a ledger is opened.
type Options struct {
	// Dir is the ledger's directory; it is made, for its owner alone, where it does not exist. One process uses it.
	Dir string

	// Key seals tokens and payments at rest: 32 bytes, from store.LoadKey or store.KeyFromSecret. With ReadOnly it may be nil: then
	// nothing that is sealed is looked into.
	Key []byte

	// ReadOnly is for looking into the ledger of a process that has ended: nothing is booked, not even what that process has
	// left behind, and what would change the books is refused with ErrReadOnly.
	ReadOnly bool

	// Anchor is the path of the anchor file: the newest entry's sequence number and hash, kept outside Dir, so that books
	// that have lost their end, or were replaced with an older copy, are not taken for whole. Empty: none is kept.
	Anchor string

	// Archives is the directory that entries of closed months are moved into by Archive, and where their files are looked for. It is
	// made when it is needed. Default: Dir with ".archive" at its end.
	Archives string

	// Logger gets the few events of the ledger and of its store. None: nothing is logged.
	Logger *zap.Logger

	// Observe is told how long each commit took with its sync, or the sync alone where it came later, by the committer: it must not
	// block.
	Observe func(commit time.Duration)

	// Stopped is told why when the ledger stops for good: once, and it must not block.
	Stopped func(error)

	// Shared has the ledger keep what it has spent as a fleet is told: budgets then go by the shares of SetShares.
	Shared bool

	// NewIdentity has Restore give the ledger an identity of its own: in a fleet it is another gateway than the one whose backup it was, whose
	// entries since the backup the fleet may have.
	NewIdentity bool

	// Shipped has Restore complete the backup with what a fleet has of the ledger; nil: the backup is all.
	Shipped Shipped

	// InMemory keeps everything in memory and nothing on disk, for tests.
	InMemory bool

	// Now is the clock, time.Now when nil.
	Now func() time.Time

	space     store.Space // of the disk, for tests
	unsynced  bool        // for a test that has to lose what was acknowledged
	readFirst int64       // of the tables before the store opens
	lag       time.Duration
	restoring bool                                 // nothing is begun in the background
	step      func(string) error                   // of archiving, for tests: an error ends it there as a kill would
	after     func(time.Duration) <-chan time.Time // that Retain waits by; nil: time.After
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.after == nil {
		o.after = time.After
	}
	if o.lag == 0 {
		o.lag = usualLag
	}
	if o.InMemory {
		o.Anchor = "" // nothing outlives the process
	}
	if o.Archives == "" {
		o.Archives = besides(o.Dir)
	}
	if o.ReadOnly {
		o.readFirst = math.MaxInt64 // who wants to see the books wants to see all
	}
	return o
}

// openStore opens the store that the books are in.
func (o Options) openStore() (*store.Store, error) {
	return store.Open(store.Options{
		Dir: o.Dir, ReadOnly: o.ReadOnly, InMemory: o.InMemory, Unsynced: o.unsynced, ReadFirst: o.readFirst, Log: o.Logger, Space: o.space,
		Witness: metaHead,
		Bulk:    []string{string(entriesFirst), string(entriesAmong), settlementPrefix}, // the start does not go by them
	})
}

// Ledger is an open ledger. Its methods may be called from many goroutines.
type Ledger struct {
	db         *store.Store
	log        *zap.Logger
	now        func() time.Time
	observe    func(time.Duration)
	stopped    func(error)
	seal       *store.Sealer // nil: read only, and without a key
	reads      bool          // nothing is written
	lag        time.Duration // usualLag, but in tests
	anchor     *store.Anchor // nil: none is kept
	unanchored bool          // there was no anchor file for these books when they were opened
	room       *store.Room   // nil: in memory
	archives   string        // the directory of archive files
	seen       seenFiles
	archiving  archiving

	gate    sync.RWMutex // guards closed, and sends on queue against its closing
	closed  bool
	queue   chan *command
	drained chan struct{} // closed when the committer has ended
	failure atomic.Pointer[error]

	readers  sync.WaitGroup
	reading  context.Context // ends at Close, and with it every reader
	stopRead context.CancelFunc

	shared   *shared       // nil: in no fleet
	retracts atomic.Uint64 // the newest entry by which Retract has taken something back; 0: there is none. Known in a fleet
	epoch    uint64        // in a fleet: how often the ledger was opened in one
	opened   uint64        // the newest entry once Open was through with what was there
	restored uint64        // how often it had been when it was restored; 0: it was not

	state   *state // the committer's own, as what follows
	durable durable
	dirty   map[string]any // of a batch, empty between two
	records []byte         // the same: room for what it writes
}

// Open opens the ledger in o.Dir, or makes one where it may write. Holds that a dead process has left are
// booked as estimates before it returns. It waits up to two seconds for a directory that is in use, as it is for a moment while a config is reloaded.
func Open(o Options) (*Ledger, error) {
	o = o.withDefaults()
	var seal *store.Sealer
	var err error
	if o.Key != nil || !o.ReadOnly {
		if seal, err = store.NewSealer(o.Key); err != nil {
			return nil, err
		}
	}
	if o.Anchor != "" && !o.ReadOnly {
		if err := store.CheckPresence(o.Anchor, o.Dir); err != nil {
			return nil, fmt.Errorf("ledger: open %s: %w", o.Dir, err)
		}
	}
	db, err := o.openStore()
	if err != nil {
		return nil, err
	}
	l := &Ledger{
		db: db, log: o.Logger, now: o.Now, observe: o.Observe, stopped: o.Stopped, seal: seal, reads: o.ReadOnly, lag: o.lag, archives: o.Archives,
		queue: make(chan *command, queueLength), drained: make(chan struct{}), dirty: map[string]any{},
	}
	l.archiving.step, l.archiving.after = o.step, o.after
	l.reading, l.stopRead = context.WithCancel(context.Background())
	if err := l.readBooks(o); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: open %s: %w", o.Dir, err), db.Close())
	}
	left := l.state.leftHolds()
	go l.run()
	if o.ReadOnly {
		l.room = store.LookRoom(o.Dir, o.space, o.Logger)
		l.resumeArchive()
		return l, nil
	}
	if !o.InMemory {
		l.room = store.WatchRoom(o.Dir, o.space, o.Logger)
	}
	if err := l.recover(left); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if l.opened, _, err = l.Head(context.Background()); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if db.Unread() > 0 {
		l.scrubSoon()
	}
	if !o.restoring {
		l.resumeArchive()
	}
	return l, nil
}

// readBooks reads what is in the store, and holds it against what was there.
func (l *Ledger) readBooks(o Options) (err error) {
	if l.state, err = load(l.db, l.seal, o.ReadOnly); err != nil {
		return err
	}
	if l.db.Unread() == 0 {
		if err := l.state.complete(l.db); err != nil {
			return err
		}
	}
	l.state.spending.booked = l.Durable
	if err := l.sync(); err != nil { // what a new ledger begins with
		return err
	}
	if err := l.loadSpending(o.Now()); err != nil {
		return err
	}
	if err := l.openFleet(o); err != nil {
		return err
	}
	if o.Anchor == "" {
		return nil
	}
	if err := l.checkAnchor(o.Anchor); err != nil || o.ReadOnly {
		return err
	}
	l.anchor, err = store.StartAnchor(o.Anchor, store.Point{Ledger: l.state.identity, Head: l.state.head}, l.log)
	return err
}

// Close takes no more commands, commits those that are queued, and closes the store. Entries and Verify that are still
// running end with ErrClosed. A second Close does nothing.
func (l *Ledger) Close() error {
	l.gate.Lock()
	if l.closed {
		l.gate.Unlock()
		return nil
	}
	l.closed = true
	close(l.queue)
	l.gate.Unlock()

	<-l.drained
	l.stopRead()
	l.readers.Wait()
	l.room.Close()
	if err := errors.Join(l.anchor.Close(), l.db.Close()); err != nil {
		return fmt.Errorf("ledger: close: %w", err)
	}
	return nil
}

// Err is nil while the ledger works. After a commit that failed, or once damage was found, it says what happened, and every
// command fails at once until the process starts again and reads what is there.
func (l *Ledger) Err() error {
	if err := l.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Ready is nil while requests may be sent to sellers and tokens bought. Otherwise it says why not: the ledger has stopped
// (as Err says) or its disk is nearly full (ErrNoRoom). What is under way is booked even so.
func (l *Ledger) Ready() error {
	if err := l.Err(); err != nil {
		return err
	}
	return l.room.Err()
}

// Room gives the bytes that are free on the ledger's disk, and how many it has; false when that is not known.
func (l *Ledger) Room() (free, size uint64, known bool) { return l.room.Free() }

// fail stops the ledger for good.
func (l *Ledger) fail(event string, err error) {
	if l.failure.CompareAndSwap(nil, &err) {
		l.log.Error(event, zap.Error(err))
		if l.stopped != nil {
			l.stopped(err)
		}
	}
}

// NewID gives a new id that sorts by time (UUID version 7), for requests, holds, purchases and tokens.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Identity is the ledger's random name, made with it. A copy has the same.
func (l *Ledger) Identity() string { return l.state.identity }

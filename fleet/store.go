package fleet

import (
	"context"
	"time"
)

// Store is what a fleet needs of an engine: one key's value can be changed while nobody else changes it, and rows can be added for
// good. Its methods may be called from many goroutines. Errors wrap ErrAway where the engine can't be reached or does not answer
// in time, and ErrUnknown where a change may have been made all the same.
//
// A guest module in the namespace http.tokenbuddy.fleet that is an Engine brings one; fleettest has the tests that each has to pass.
type Store interface {
	// Change puts what f makes of a key's value in its place, durably, and nobody else's change between. old is nil where there is
	// none, next nil deletes it; f may be called more than once, and is pure. An error of f changes nothing and is given back as it is.
	// It gives nil only once a write of this very call was acknowledged, also where f has changed nothing: a value that was merely
	// read may be one that is about to be forgotten.
	Change(ctx context.Context, key string, f func(at Moment, old []byte) (next []byte, err error)) error

	// Load calls yield with keys and their values, in the order of the keys. A key that ends in a slash stands for all that begin with it; one
	// that is not there is left out. What it gives may be a moment old, and decides nothing about money.
	Load(ctx context.Context, yield func(key string, value []byte) error, keys ...string) error

	// Append adds a gateway's rows, in order, of which each follows the one before without a gap. Rows that are there already are
	// left as they are, and must be the same: else it is ErrFork. It is one change: all of them or none.
	Append(ctx context.Context, gateway string, rows []Row) (Appended, error)

	// Journal calls yield with a gateway's rows that follow a sequence number, in order.
	Journal(ctx context.Context, gateway string, after uint64, yield func(Row) error) error
}

// Engine opens a store; the guest module is one. The store is closed where it is an io.Closer.
type Engine interface {
	// Open prepares the store, and makes or migrates what it needs. It may return before the engine can be reached.
	Open(ctx context.Context) (Store, error)
}

// Inspector is a store that can say what an operator has to know of its engine.
type Inspector interface {
	Inspect(ctx context.Context) (Condition, error)
}

// Condition is how an engine is set up, as far as that says what may be lost.
type Condition struct {
	Engine string    // its name and version
	Now    time.Time // by its clock
	// Quorum says that the engine takes nothing for written that is not on several disks, by itself. The next two are nothing then.
	Quorum      bool
	Standbys    int  // that follow it now
	Synchronous bool // a change waits for one of them
	// Weak are settings by which even the machine's own crash can lose what was acknowledged, each in words: fsync is off.
	Weak []string
}

// Moment is when and where a change is made, by the store.
type Moment struct {
	Now time.Time // by the store's clock
	// Line names the store's own history. Another one than before says that the store may have forgotten acknowledged changes, as
	// after a failover to a standby that was behind. Empty: the engine never forgets.
	Line string
}

// Row is one entry of a gateway's ledger.
type Row struct {
	Seq            uint64 // from 1, without a gap
	ID             string
	At             time.Time
	Kind           string
	Member         string
	Model          string
	Seller         string
	SettlementID   string // empty: none
	IdempotencyKey string // of the request; empty: none
	Hash, Previous string // in hex, as the entry and the one before have them
	Entry          []byte // as it is stored, byte for byte
	// Begun are the day, the week and the month of budgets that it counts in, with spaces between. Empty: it counts in none, or was shipped by
	// a release that did not tell.
	Begun string
	// Beside is what its ledger keeps beside it, JSON, so that it can be restored from the rows. Secrets in it are sealed. Mostly nil.
	Beside []byte
}

// Appended is what a store says of rows that were added.
type Appended struct {
	Last     uint64 // the gateway's last row in the store
	LastHash string
	// Twins are those of the rows of which another gateway has booked the settlement before, at the same seller. Which of two was
	// before is decided once: rows that are there already have the same twins again.
	Twins []Twin
}

// Twin is a row whose settlement another gateway has booked.
type Twin struct {
	Seq            uint64 // of the added row
	Gateway        string // the other one
	Other          uint64 // its row
	IdempotencyKey string // of its row
}

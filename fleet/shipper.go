package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	shipEvery = time.Second
	shipRows  = 256 // in one change of the store
	// lookAfter is how long, with nothing to ship, it is believed that the store has what was shipped: a restore may have taken it away.
	lookAfter = time.Minute
)

// ErrBehind tells that the fleet has entries of this gateway that its ledger does not have: the directory was replaced with an older copy.
var ErrBehind = errors.New("fleet: the ledger's directory is behind what the fleet has of its entries")

// Source is a gateway's own books, whose entries are shipped.
type Source interface {
	// Rows calls yield with the rows after a sequence number, in order, and with no more than the given number of them; 0: all. They are
	// durable. An error of yield ends it and is given back.
	Rows(ctx context.Context, after uint64, most int, yield func(Row) error) error
	// Head is the newest entry that is durable; 0: there is none.
	Head(ctx context.Context) (seq uint64, hash string, err error)
	// Retract takes back what an entry has cost whose settlement another gateway has booked before, for the same request. It is
	// durable when it returns, and done once, however often it is called.
	Retract(ctx context.Context, t Twin) error
	// LastRetraction is the newest entry that takes back what another has cost, as Retract has booked it; 0: there is none.
	LastRetraction() uint64
}

// ShipperOptions say what is shipped, and where to.
type ShipperOptions struct {
	Store   Store
	Gateway string // the ledger's identity
	Source  Source
	// Speaks is asked before rows are added: ErrFenced says that another process speaks for the gateway, so that two copies of its books do
	// not both ship. nil: nobody is asked.
	Speaks func(context.Context) error
	// Fenced is told, once, that the store has other entries of this gateway than its books: nothing must be spent any more. nil: nobody is told.
	Fenced func(error)
	Logger *zap.Logger
}

// Shipper has a gateway's entries in the store, in order, each once, a moment after they were booked. It keeps nothing itself: it goes
// on after the last row that the store has. What can't be shipped waits in the ledger.
type Shipper struct {
	o      ShipperOptions
	cancel context.CancelFunc // nil: not started
	work   sync.WaitGroup
	known  bool      // what the store has was compared with the books; of who ships alone
	asked  time.Time // when the store was asked last; likewise

	mu      sync.Mutex // guards the following
	last    uint64     // the newest row in the store
	hash    string     // its hash
	waiting time.Time  // of the oldest entry that the store does not have; zero: it has all
	due     uint64     // the first row whose cost is taken back, or may be, by one that is not in the store yet; 0: there is none
	until   uint64     // by this row at the latest
	failing bool
	ended   bool // by a fork
}

// NewShipper gives a shipper that does nothing by itself before Start.
func NewShipper(o ShipperOptions) *Shipper {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return &Shipper{o: o}
}

// Check holds the books against what the store has of it. ErrBehind and ErrFork say that they are not those that were shipped, and are in
// the error with ErrFenced; any other error that it could not be found out. It is not called after Start.
func (s *Shipper) Check(ctx context.Context) error {
	there, err := s.o.Store.Append(ctx, s.o.Gateway, nil)
	if err != nil {
		return err
	}
	head, _, err := s.o.Source.Head(ctx)
	if err != nil {
		return err
	}
	if head < there.Last {
		return behind(there.Last, head, "--fleet")
	}
	s.inherit(there.Last)
	// The last rows are added once more: the store compares them, and tells again of twins among them whose correction a process
	// that was killed has not made. Those of rows before them were corrected before these were added.
	if last := min(there.Last, shipRows); last > 0 {
		rows := make([]Row, 0, last)
		err := s.o.Source.Rows(ctx, there.Last-last, int(last), func(r Row) error {
			rows = append(rows, r)
			return nil
		})
		if err == nil {
			there, err = s.add(ctx, rows)
		}
		if err != nil {
			return err
		}
	}
	s.known, s.asked = true, time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached(there)
	return nil
}

// behind says how far a directory is behind, and with which flag a backup comes back all the same.
func behind(there, here uint64, flag string) error {
	return fmt.Errorf("%w: %w: the fleet has %d of these entries, the directory %d: put the newest directory back, or restore a backup with %s", ErrFenced, ErrBehind, there, here, flag)
}

// add has rows in the store, and their twins retracted. Only then are others added.
func (s *Shipper) add(ctx context.Context, rows []Row) (Appended, error) {
	there, err := s.o.Store.Append(ctx, s.o.Gateway, rows)
	if errors.Is(err, ErrFork) {
		return there, fmt.Errorf("%w: %w", ErrFenced, err)
	}
	if err != nil {
		return there, err
	}
	// Another process of the same books may have added more, which Check finds; with other entries it is a fork.
	last := rows[len(rows)-1]
	if there.Last < last.Seq || there.Last == last.Seq && there.LastHash != last.Hash {
		return there, fmt.Errorf("%w: %w: its row %d is another one than entry %d", ErrFenced, ErrFork, there.Last, last.Seq)
	}
	for _, t := range there.Twins {
		if err := s.o.Source.Retract(ctx, t); err != nil {
			return there, fmt.Errorf("fleet: entry %d books what gateway %s has booked: %w", t.Seq, t.Gateway, err)
		}
	}
	if len(there.Twins) > 0 {
		if err := s.owe(ctx, there.Twins[0].Seq, last.Seq); err != nil {
			return there, err
		}
	}
	return Appended{Last: last.Seq, LastHash: last.Hash}, nil
}

// owe notes that what takes back the cost of a row, and maybe of others after it, is in the ledger, behind all that waits there. last is the newest row
// in the store.
func (s *Shipper) owe(ctx context.Context, due, last uint64) error {
	head, _, err := s.o.Source.Head(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due == 0 || due < s.due || last >= s.until { // what was due before has come
		s.due = due
	}
	s.until = head
	return nil
}

// inherit notes what an earlier process has taken back by entries that wait in the ledger since: it is not known here whose cost that was, so it
// may be that of any row. last is the newest row in the store.
func (s *Shipper) inherit(last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if newest := s.o.Source.LastRetraction(); s.due == 0 && newest > last {
		s.due, s.until = 1, newest
	}
}

// reached notes how far the store has the rows. The mutex must be locked.
func (s *Shipper) reached(there Appended) {
	s.last, s.hash = there.Last, there.LastHash
	if s.last >= s.until {
		s.due = 0
	}
}

// Due is the first row in the store whose cost is taken back by one that is not there yet; 0: there is none.
func (s *Shipper) Due() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.due
}

// Start ships from now on, until Close.
func (s *Shipper) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.work.Go(func() {
		ticker := time.NewTicker(shipEvery)
		defer ticker.Stop()
		for s.Ship(ctx) == nil || !s.over() {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
}

// Close ships what is left, until ctx ends, and ends. The ledger must still be open.
func (s *Shipper) Close(ctx context.Context) error {
	if s.cancel != nil {
		s.cancel()
		s.work.Wait()
	}
	return s.Ship(ctx)
}

func (s *Shipper) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// Head is the newest entry that the store has, and its hash; 0: none is known to be there.
func (s *Shipper) Head() (seq uint64, hash string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.hash
}

// Lag is how old the oldest entry is that the store does not have; 0: it has all.
func (s *Shipper) Lag() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting.IsZero() {
		return 0
	}
	return max(time.Since(s.waiting), 1)
}

// Ship ships all that there is now. It is not called between Start and Close.
func (s *Shipper) Ship(ctx context.Context) error {
	if s.over() {
		return ErrFenced
	}
	err := s.shipAll(ctx)
	if err != nil {
		s.known = false // whether rows were added: the store is asked
	}
	fenced := errors.Is(err, ErrFenced)
	s.mu.Lock()
	failing := err != nil && ctx.Err() == nil && !fenced
	changed := failing != s.failing
	s.failing, s.ended = failing, s.ended || fenced
	if err == nil {
		s.waiting = time.Time{}
	} else if s.waiting.IsZero() {
		s.waiting = time.Now()
	}
	s.mu.Unlock()
	switch {
	case fenced:
		if errors.Is(err, ErrFork) || errors.Is(err, ErrBehind) {
			s.o.Logger.Error("fleet.books.forked", zap.Error(err), zap.String("gateway", s.o.Gateway), zap.String("hint",
				"the store has other entries of this gateway than its directory: the directory was copied, or replaced with an older one; none is shipped any more"))
		}
		if s.o.Fenced != nil {
			s.o.Fenced(err)
		}
	case changed && failing:
		s.o.Logger.Warn("fleet.books.waiting", zap.Error(err), zap.String("hint", "entries wait in the ledger, and are shipped when the store is back"))
	case changed && err == nil:
		s.o.Logger.Info("fleet.books.shipped")
	}
	return err
}

func (s *Shipper) shipAll(ctx context.Context) error {
	if !s.known {
		if err := s.Check(ctx); err != nil {
			return err
		}
	}
	after, _ := s.Head()
	head, _, err := s.o.Source.Head(ctx)
	if err != nil {
		return err
	}
	if head != after {
		return s.shipAfter(ctx, after)
	}
	if err := s.lookAgain(ctx, after); err != nil || s.known {
		return err
	}
	return s.shipAll(ctx)
}

// lookAgain asks the store now and then whether it has still what it had; where it has not, nobody knows any more how far it is.
func (s *Shipper) lookAgain(ctx context.Context, had uint64) error {
	if time.Since(s.asked) < lookAfter {
		return nil
	}
	there, err := s.o.Store.Append(ctx, s.o.Gateway, nil)
	if err != nil {
		return err
	}
	s.asked = time.Now()
	s.known = there.Last == had
	return nil
}

// shipAfter ships the entries after one.
func (s *Shipper) shipAfter(ctx context.Context, after uint64) error {
	s.asked = time.Now()
	rows := make([]Row, 0, shipRows)
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		if s.o.Speaks != nil {
			if err := s.o.Speaks(ctx); err != nil {
				return err
			}
		}
		there, err := s.add(ctx, rows)
		if err != nil {
			return err
		}
		rows = rows[:0]
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reached(there)
		s.waiting = time.Time{}
		return nil
	}
	err := s.o.Source.Rows(ctx, after, 0, func(r Row) error {
		if rows = append(rows, r); len(rows) == 1 {
			s.mu.Lock()
			s.waiting = r.At
			s.mu.Unlock()
		}
		if len(rows) < shipRows {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

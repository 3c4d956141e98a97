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
	shipRows  = 256 // in one transaction
)

// ErrBehind tells that the store has entries of this gateway that its ledger does not have: it was replaced with an older copy.
var ErrBehind = errors.New("fleet: the ledger's directory is behind what the fleet has of it")

// Source is a gateway's own books, of which the rows are shipped.
type Source interface {
	// Rows calls yield with the rows after a sequence number, in order, and no more than the given number of them.
	Rows(ctx context.Context, after uint64, most int, yield func(Row) error) error
	// Head is the newest durable entry; 0: there is none.
	Head(ctx context.Context) (seq uint64, hash string, err error)
	// Retract takes back what an entry has cost, since another gateway has booked the same settlement of the same request before. It
	// is durable when it returns, and does it once however often it is called.
	Retract(ctx context.Context, t Twin) error
}

// ShipperOptions say what is shipped, and where to.
type ShipperOptions struct {
	Store   Store
	Gateway string // the ledger's identity
	Source  Source
	// Fenced is told when the store has other entries of this gateway than its books: nothing must be spent any more.
	Fenced func(error)
	Logger *zap.Logger
}

// Shipper has the entries of a gateway in the store, in order, each once, a moment after they were booked.
type Shipper struct {
	o      ShipperOptions
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex // protects the following
	last    uint64     // that the store has
	hash    string
	known   bool      // what the store has was asked
	behind  time.Time // since when there are others; zero: there are none
	failing bool
}

// NewShipper gives one that Start brings to life.
func NewShipper(o ShipperOptions) *Shipper {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return &Shipper{o: o}
}

// Check holds the books against what the store has of them: ErrBehind or ErrFork say that they are not those that were shipped. ErrAway: it
// is not known.
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
		return fmt.Errorf("%w: the fleet has %d of its entries, the directory %d: put the newest directory back, or complete a backup with what was shipped",
			ErrBehind, there.Last, head)
	}
	if there.Last > 0 {
		same := false
		err := s.o.Source.Rows(ctx, there.Last-1, 1, func(r Row) error {
			same = r.Seq == there.Last && r.Hash == there.LastHash
			return nil
		})
		if err != nil {
			return err
		}
		if !same {
			return fmt.Errorf("%w: entry %d", ErrFork, there.Last)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.hash, s.known = there.Last, there.LastHash, true
	return nil
}

// Start ships from now on, until Close.
func (s *Shipper) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.work.Go(func() {
		ticker := time.NewTicker(shipEvery)
		defer ticker.Stop()
		for {
			if err := s.ship(ctx); errors.Is(err, ErrBehind) || errors.Is(err, ErrFork) {
				s.o.Logger.Error("fleet.books.forked", zap.Error(err))
				if s.o.Fenced != nil {
					s.o.Fenced(err)
				}
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
}

// Close ships what is left, until ctx ends, and ends.
func (s *Shipper) Close(ctx context.Context) error {
	s.cancel()
	s.work.Wait()
	return s.ship(ctx)
}

// Head is the newest entry that the store has, and its hash.
func (s *Shipper) Head() (seq uint64, hash string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.hash
}

// Lag is for how long entries have been waiting that the store does not have; 0: it has all.
func (s *Shipper) Lag() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.behind.IsZero() {
		return 0
	}
	return time.Since(s.behind)
}

// ship ships all that there is.
func (s *Shipper) ship(ctx context.Context) error {
	err := s.shipAll(ctx)
	s.mu.Lock()
	failing := err != nil && ctx.Err() == nil
	changed := failing != s.failing
	s.failing = failing
	if err != nil && s.behind.IsZero() {
		s.behind = time.Now()
	} else if err == nil {
		s.behind = time.Time{}
	}
	s.mu.Unlock()
	switch {
	case changed && failing:
		s.o.Logger.Warn("fleet.books.waiting", zap.Error(err), zap.String("hint", "entries wait in the ledger, and are shipped when the store is back"))
	case changed && err == nil:
		s.o.Logger.Info("fleet.books.shipped")
	}
	return err
}

func (s *Shipper) shipAll(ctx context.Context) error {
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	if !known {
		if err := s.Check(ctx); err != nil {
			return err
		}
	}
	rows := make([]Row, 0, shipRows)
	for {
		s.mu.Lock()
		last := s.last
		s.mu.Unlock()
		rows = rows[:0]
		err := s.o.Source.Rows(ctx, last, shipRows, func(r Row) error {
			rows = append(rows, r)
			return nil
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		there, err := s.o.Store.Append(ctx, s.o.Gateway, rows)
		if err != nil {
			return err
		}
		for _, t := range there.Twins { // before it is known that the rows are there: whoever dies in between is told of them again
			if err := s.o.Source.Retract(ctx, t); err != nil {
				return fmt.Errorf("fleet: taking back what another gateway has booked: %w", err)
			}
		}
		end := rows[len(rows)-1]
		s.mu.Lock()
		s.last, s.hash = end.Seq, end.Hash
		s.mu.Unlock()
		if len(rows) < shipRows {
			return nil
		}
	}
}

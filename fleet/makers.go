package fleet

import (
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Makers are who has made which response, for all gateways of a fleet: written beside what a gateway remembers itself, and read where it
// does not know. Nobody waits for what is written, and little is lost with it: a conversation has to begin anew. What sellers have settled of tries on
// shared tokens is kept as that is, under keys of its own: where it is lost, an estimate stays.
//
// A key is o/<day>/<hash>, the day being that on which it is forgotten: all of a day are swept at once.
type Makers struct {
	store  Store
	queues [makerWriters]chan made

	lost atomic.Int64          // what was not written since that was told last
	last atomic.Pointer[error] // of a write that has failed
}

// made is something to write: a value, or none to forget.
type made struct {
	hash  [16]byte
	value []byte
	until time.Time
}

const (
	makerKeys    = "o/"
	makerClock   = "o/now" // has never a value: to ask for the time
	makerDay     = "2006-01-02"
	makerDays    = 31   // for how many days at most something is kept
	makerLongest = 4096 // bytes of a value
	makerWriters = 4    // that write at once: each waits for a disk
	makerQueue   = 1024 // that wait for each of them

	makersAtOnce = 256 // that one question asks for
	makerSoon    = 3   // days: today and tomorrow, by a clock that may be behind

	makerLook    = time.Second // how long a request waits for the store
	makerAgain   = 50 * time.Millisecond
	makerSweep   = time.Hour
	makerTell    = time.Minute
	makerUnswept = 3 // days: a fleet that was not running has left more behind, which does no harm
)

// Sweeper is a store that can delete all keys that begin with a prefix at once. It is for what nothing depends on.
type Sweeper interface {
	Sweep(ctx context.Context, prefix string) error
}

// NewMakers gives the makers in a store.
func NewMakers(s Store) *Makers {
	m := &Makers{store: s}
	for i := range m.queues {
		m.queues[i] = make(chan made, makerQueue)
	}
	return m
}

// Keep has it written who has made a response, until a time. It waits for nothing: what can't be written in time is lost.
func (m *Makers) Keep(hash [16]byte, value []byte, until time.Time) { m.put(made{hash, value, until}) }

// Forget has a response forgotten.
func (m *Makers) Forget(hash [16]byte) { m.put(made{hash: hash}) }

func (m *Makers) put(w made) {
	select {
	case m.queues[int(w.hash[0])%makerWriters] <- w: // one hash always goes the same way
	default:
		m.lost.Add(1)
	}
}

// Find gives what is kept of a response; nil: nothing. What may have been made just now it looks for several times in a second: a client
// goes on from what it has just had, and may do so at another gateway before that is written. A store that is too slow to be asked again has said that
// there is nothing.
func (m *Makers) Find(ctx context.Context, hash [16]byte, justNow bool) (value []byte, err error) {
	ctx, stop := context.WithTimeout(ctx, makerLook)
	defer stop()
	for again := makerAgain; ; again *= 2 {
		err = m.find(ctx, hash, func(_ string, found []byte) { value = found }) // the last one is kept the longest
		if again > makerAgain && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return value, nil
		}
		if err != nil || value != nil || !justNow || again > makerLook/2 || !pause(ctx, again) {
			return value, err
		}
	}
}

func (m *Makers) find(ctx context.Context, hash [16]byte, found func(key string, value []byte)) error {
	today := time.Now()
	keys := make([]string, makerDays+1)
	for i := range keys {
		keys[i] = makerKey(today.AddDate(0, 0, i), hash)
	}
	return m.store.Load(ctx, func(key string, value []byte) error {
		found(key, value)
		return nil
	}, keys...)
}

// FindAll gives what is kept of these until tomorrow at the most, by their hashes: what is not there is left out. However many they are, the store is
// asked a few times.
func (m *Makers) FindAll(ctx context.Context, hashes [][16]byte) (map[[16]byte][]byte, error) {
	all := make(map[[16]byte][]byte, len(hashes))
	today := time.Now()
	for some := range slices.Chunk(hashes, makersAtOnce) {
		asked := make(map[string][16]byte, makerSoon*len(some))
		for _, hash := range some {
			for i := range makerSoon {
				asked[makerKey(today.AddDate(0, 0, i), hash)] = hash
			}
		}
		if err := m.load(ctx, asked, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (m *Makers) load(ctx context.Context, asked map[string][16]byte, all map[[16]byte][]byte) error {
	ctx, stop := context.WithTimeout(ctx, makerLook)
	defer stop()
	return m.store.Load(ctx, func(key string, value []byte) error {
		all[asked[key]] = value // the last one is kept the longest
		return nil
	}, slices.Collect(maps.Keys(asked))...)
}

func makerKey(until time.Time, hash [16]byte) string {
	return makerKeys + until.UTC().Format(makerDay) + "/" + hex.EncodeToString(hash[:])
}

// Run writes, and sweeps what is over, until the context ends. told is told each minute how many could not be written in it, and why.
func (m *Makers) Run(ctx context.Context, told func(lost int64, err error)) {
	var writers sync.WaitGroup
	for _, queue := range m.queues {
		writers.Go(func() { m.writeAll(ctx, queue) })
	}
	sweep, tell := time.NewTicker(makerSweep), time.NewTicker(makerTell)
	defer sweep.Stop()
	defer tell.Stop()
	m.sweep(ctx)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-sweep.C:
			m.sweep(ctx)
		case <-tell.C:
			if n := m.lost.Swap(0); n > 0 {
				err := errors.New("more are made than the store can write")
				if last := m.last.Swap(nil); last != nil {
					err = *last
				}
				told(n, err)
			}
		}
	}
	writers.Wait()
}

func (m *Makers) writeAll(ctx context.Context, queue <-chan made) {
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-queue:
			if err := m.write(ctx, w); err != nil && ctx.Err() == nil {
				m.lost.Add(1)
				m.last.Store(&err)
			}
		}
	}
}

func (m *Makers) write(ctx context.Context, w made) error {
	if w.value != nil {
		days := time.Until(w.until).Hours() / 24
		if len(w.value) > makerLongest || days < 0 || days > makerDays {
			return errors.New("it is too long, or is to be kept for too long")
		}
		return m.store.Change(ctx, makerKey(w.until, w.hash), func(Moment, []byte) ([]byte, error) { return w.value, nil })
	}
	var keys []string
	if err := m.find(ctx, w.hash, func(key string, _ []byte) { keys = append(keys, key) }); err != nil {
		return err
	}
	for _, key := range keys {
		if err := m.store.Change(ctx, key, func(Moment, []byte) ([]byte, error) { return nil, nil }); err != nil {
			return err
		}
	}
	return nil
}

// sweep deletes what was to be kept until one of the days before yesterday, by the store's clock: nobody looks for it any more. By the clock here
// it would delete, where that is ahead, what others look for.
func (m *Makers) sweep(ctx context.Context) {
	sweeper, ok := m.store.(Sweeper)
	if !ok {
		return
	}
	var now time.Time
	if err := m.store.Change(ctx, makerClock, func(at Moment, _ []byte) ([]byte, error) {
		now = at.Now
		return nil, nil
	}); err != nil {
		return // the next time
	}
	for i := 2; i < 2+makerUnswept; i++ {
		day := now.UTC().AddDate(0, 0, -i).Format(makerDay)
		if err := sweeper.Sweep(ctx, makerKeys+day+"/"); err != nil {
			return // the next time
		}
	}
}

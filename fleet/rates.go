package fleet

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// RateKey names whose requests are counted together.
type RateKey struct {
	Group    bool // a group, else a member
	Name     string
	Counting bool // requests that count tokens, which have a rate by themselves
}

func (k RateKey) key() string {
	s := "r/m/"
	if k.Group {
		s = "r/g/"
	}
	if s += escape(k.Name); k.Counting {
		s += "/count"
	}
	return s
}

// RatesOptions say whose rates they are.
type RatesOptions struct {
	Store   Store
	Gateway string        // the ledger's identity
	Boot    string        // random, of the process
	Wait    time.Duration // how long a request waits for the store at most; zero: a second
	Logger  *zap.Logger   // nil: nothing is logged
}

// Rates hold members and groups to their rates over all gateways. Of up to a few requests a second each is asked for, those that wait
// at the same time together. Above that gateways have shares of a rate, by what they want, and ask when theirs is used up.
// Of twice as many a second each is asked for as well where even shares would be of too few requests to be of use.
//
// While the store is away a share goes on for a minute. Then, and after half a minute where there is none, a gateway goes by its part
// of the rate, of which the others give it up at once. So the rate is never passed in sum, and for a moment less than it is given.
type Rates struct {
	o RatesOptions

	mu       sync.Mutex // protects all following fields, and those of meters
	meters   map[RateKey]*meter
	there    presence
	beat     time.Time // when the last word was said that was heard; zero: none was
	back     time.Time // when one was heard after a time in which none was; zero: never
	of       int       // the most gateways that were said to be there since then
	known    bool      // the others have heard of this gateway, or had the time to
	away     bool      // the last change has failed
	closed   bool
	op       uint64 // of the last draw
	work     sync.WaitGroup
	ctx      context.Context
	cancel   context.CancelFunc
	speaking chan struct{} // has room for one: words are said one after another

	refusedAway atomic.Int64
}

// NewRates gives rates that Start brings to life.
func NewRates(o RatesOptions) *Rates {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Wait <= 0 {
		o.Wait = time.Second
	}
	r := &Rates{o: o, meters: make(map[RateKey]*meter), speaking: make(chan struct{}, 1)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Start says that this gateway is there, from now on until Close.
func (r *Rates) Start() {
	r.work.Go(func() {
		r.each(func() time.Duration {
			if _ = r.say(false); r.isAway() || r.gathering() {
				return probeEvery
			}
			return beatEvery
		})
	})
	r.work.Go(func() {
		r.each(func() time.Duration {
			r.tend()
			return time.Second
		})
	})
}

// Close ends what goes on in the background, and says that this gateway is gone.
func (r *Rates) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.work.Wait()
	r.ctx, r.cancel = context.WithTimeout(context.Background(), changeTime)
	defer r.cancel()
	r.mu.Lock()
	draws := make(map[string]draw)
	for _, m := range r.meters { // nobody else is left to use them
		if m.share, m.spare = 0, true; m.said > 0 {
			d := m.next(time.Now())
			d.wants = 0
			draws[m.key] = r.number(d)
		}
	}
	r.mu.Unlock()
	for key, d := range draws {
		_, _ = r.try(key, d)
	}
	for r.say(true) != nil && pause(r.ctx, probeEvery) { // else the others leave out its part of each rate for an hour
		continue
	}
}

// each calls f now, and then as often as it says until Close.
func (r *Rates) each(f func() (again time.Duration)) {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-r.ctx.Done():
			return
		}
		t.Reset(f())
	}
}

// gathering tells whether this gateway has just been without the store, and others may have been, too: it is not known yet who of them is
// there, and what they may have let pass.
func (r *Rates) gathering() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	me := r.there[r.o.Gateway]
	if me == nil || r.back.IsZero() || time.Since(r.back) > gatherFor {
		return false
	}
	for id, p := range r.there {
		if id != r.o.Gateway && p.alone(me.Seen+int64(heardFor)) {
			return true
		}
	}
	return false
}

func (r *Rates) isAway() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.away
}

// changeTime is how long one change of the store may take.
const changeTime = 2 * time.Second

// change makes a change, and notes whether the store is there.
func (r *Rates) change(key string, f func(at Moment, old []byte) ([]byte, error)) error {
	ctx, cancel := context.WithTimeout(r.ctx, changeTime)
	defer cancel()
	err := r.o.Store.Change(ctx, key, f)
	r.mu.Lock()
	defer r.mu.Unlock()
	if away := err != nil; away != r.away && r.ctx.Err() == nil {
		r.away = away
		if away {
			r.o.Logger.Warn("fleet.rates.away", zap.Error(err), zap.String("hint", "members with a rate get less of it until the store is back"))
		} else {
			r.o.Logger.Info("fleet.rates.back")
		}
	}
	return err
}

// say tells the others that this gateway is there, or gone.
func (r *Rates) say(gone bool) error {
	r.speaking <- struct{}{}
	defer func() { <-r.speaking }()
	return r.speak(gone)
}

// hear gives who is there, and asks where that is not known: once for all that want to know. nil: the store has not answered.
func (r *Rates) hear() presence {
	if there := r.others(); there != nil {
		return there
	}
	r.speaking <- struct{}{}
	defer func() { <-r.speaking }()
	if there := r.others(); there != nil {
		return there
	}
	_ = r.speak(false) // then they are not known
	return r.others()
}

// speak is say, for whoever has the room in r.speaking.
func (r *Rates) speak(gone bool) error {
	r.mu.Lock()
	now := time.Now()
	word, beat, away := present{Boot: r.o.Boot, Of: len(r.there)}, r.beat, r.away
	r.of = max(r.of, word.Of)
	r.mu.Unlock()
	var there presence
	err := r.change(presenceKey, func(at Moment, old []byte) (next []byte, err error) {
		// What is said may be heard, and the answer lost: then it is to be true for as long as no other word is.
		word.Alone = !beat.IsZero() && time.Since(beat) > aloneAfter-beatEvery-changeTime
		if word.Alone { // where it was forgotten the others have left its part out for so long, and not since
			word.Had = word.part() * max(0, time.Since(beat)-forgetAfter).Seconds()
		}
		next, there, err = heard(at, old, r.o.Gateway, word, gone)
		return next, err
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	for _, m := range r.meters {
		m.fill(now)
		if word.Alone {
			m.level = min(m.level, m.rate.room(m.share)) // the others are to have again what has come here meanwhile
		}
	}
	if now.Sub(beat) > heardFor && (away || !beat.IsZero()) {
		r.back = time.Now()
	}
	r.known = r.known || !beat.IsZero() || len(there) == 1
	r.beat, r.there, r.of = now, there, there[r.o.Gateway].of()
	closed := r.closed // then its next word is its last
	r.mu.Unlock()
	if word.Alone && !closed {
		r.work.Go(func() { // that it goes by its part alone is over
			_ = r.say(false)
		})
	}
	return nil
}

// of is how many gateways it takes itself for one of.
func (p *present) of() int {
	if p == nil {
		return 1
	}
	return max(1, p.Of)
}

// RateError refuses a request: it does not count.
type RateError struct {
	After time.Duration // how long it is until the next one may come
	// Away is ErrAway where it is not the rate that refuses, but nobody can tell: the store does not answer, and what this gateway has of
	// the rate without it does not bear the request. Else nil.
	Away error
}

func (e *RateError) Error() string {
	if e.Away != nil {
		return fmt.Sprintf("fleet: nobody can tell whether the rate bears another request: %v", e.Away)
	}
	return fmt.Sprintf("fleet: the rate bears another request in %s", e.After)
}

func (e *RateError) Unwrap() error { return e.Away }

// Allow counts a request, or gives a *RateError. It may wait for the store.
func (r *Rates) Allow(k RateKey, rate Rate) error {
	err := r.allow(k, rate)
	switch {
	case err == nil:
		return nil // and no error of another type
	case err.Away != nil:
		r.refusedAway.Add(1)
	}
	return err
}

// RefusedAway is how many requests were refused as the store was away, since NewRates.
func (r *Rates) RefusedAway() int64 { return r.refusedAway.Load() }

func (r *Rates) allow(k RateKey, rate Rate) *RateError {
	if rate.Requests <= 0 {
		return nil
	}
	r.mu.Lock()
	now := time.Now()
	m := r.meter(k, rate, now)
	m.fill(now)
	m.asked++
	m.used = now
	if m.spend() {
		r.mu.Unlock()
		return nil
	}
	after, known := m.known(now)
	switch {
	case known:
		r.mu.Unlock()
		return &RateError{After: after}
	case r.away || r.closed:
		defer r.mu.Unlock()
		return m.without(now)
	}
	w := make(chan permit, 1)
	m.waiters = append(m.waiters, w)
	r.draw(m)
	r.mu.Unlock()
	t := time.NewTimer(r.o.Wait)
	defer t.Stop()
	select {
	case p := <-w:
		return p.refused
	case <-t.C:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case p := <-w:
		return p.refused
	default:
	}
	m.leave(w)
	return m.without(time.Now())
}

// Return gives back a permit that Allow has given, and that was not used.
func (r *Rates) Return(k RateKey, rate Rate) {
	if rate.Requests <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	m := r.meter(k, rate, now)
	m.fill(now)
	m.level++
	m.spare = m.rate.slow()
	r.draw(m)
}

// meter gives what is known here of a key; a new one where there is none. r.mu is held.
func (r *Rates) meter(k RateKey, rate Rate, now time.Time) *meter {
	m := r.meters[k]
	if m == nil {
		m = &meter{rates: r, key: k.key(), at: now, used: now, counted: now}
		r.meters[k] = m
	}
	if m.rate != rate {
		m.rate, m.until = rate, time.Time{} // a config gives another one, from now on
	}
	return m
}

// tend renews shares, gives back what is not used, and forgets who does not ask any more.
func (r *Rates) tend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for k, m := range r.meters {
		m.fill(now)
		if idle := now.Sub(m.used); idle > 2*beatEvery {
			m.share, m.goal = 0, 0
			m.spare = m.level > 0
			if idle > 4*beatEvery && !m.drawing && m.level <= 0 && m.said == 0 {
				delete(r.meters, k)
				continue
			}
		}
		if m.goal != 0 {
			m.share = max(0, min(m.share, m.goal))
		}
		if m.spare || m.share != m.said || m.said > 0 && now.Sub(m.drawn) >= beatEvery {
			r.draw(m)
		}
	}
}

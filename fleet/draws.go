package fleet

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// draw has permits drawn for those that wait, in the background. r.mu is held.
func (r *Rates) draw(m *meter) {
	if m.drawing || r.closed {
		return
	}
	m.drawing = true
	r.work.Go(func() { r.drawAll(m) })
}

// drawAll draws until nobody waits. What a draw has brought is not known where the store fails meanwhile: the same one is made until it is.
func (r *Rates) drawAll(m *meter) {
	for {
		r.mu.Lock()
		now := time.Now()
		d := m.next(now)
		if d.need == 0 && d.back == 0 && d.share == m.said && now.Sub(m.drawn) < beatEvery {
			m.drawing = false
			r.mu.Unlock()
			return
		}
		d = r.number(d)
		r.mu.Unlock()
		got, ok := r.make(m.key, d)
		r.mu.Lock()
		if !ok {
			m.drawing = false
			m.sendAway(&RateError{After: beatEvery, Away: ErrAway})
			r.mu.Unlock()
			return
		}
		m.take(got, time.Now())
		r.mu.Unlock()
	}
}

// number makes a draw one of its own. r.mu is held.
func (r *Rates) number(d draw) draw {
	r.op++
	d.op, d.gateway, d.boot = r.op, r.o.Gateway, r.o.Boot
	return d
}

// make makes one draw, however often it takes to know what it has brought; false: the rates are closed.
func (r *Rates) make(key string, d draw) (got permits, ok bool) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, changeTime) {
		got, err := r.try(key, d)
		switch {
		case err == nil:
			return got, true
		case errors.Is(err, errGathering):
			wait = 100 * time.Millisecond // that is over soon
		}
		if !errors.Is(err, ErrAway) && !errors.Is(err, ErrUnknown) && r.ctx.Err() == nil {
			r.o.Logger.Error("fleet.rates.failed", zap.String("key", key), zap.Error(err))
		}
		select {
		case <-time.After(wait):
		case <-r.ctx.Done():
			return got, false
		}
	}
}

// try makes a draw once. The others are to hear of this gateway before, as they count on it, and that it goes by no part alone.
func (r *Rates) try(key string, d draw) (got permits, err error) {
	there := r.hear()
	switch {
	case there == nil:
		return got, ErrAway
	case r.gathering():
		return got, errGathering
	}
	err = r.change(key, func(at Moment, old []byte) (next []byte, err error) {
		next, got, err = drawn(at, old, d, there)
		return next, err
	})
	return got, err
}

// errGathering: the store was away until just now, and the others have not spoken since.
var errGathering = fmt.Errorf("%w: it was until just now, and not all gateways have spoken since", ErrAway)

// others gives who is there, this gateway among them; nil where it has not been heard of late: others that have spoken since would look
// silent. It never changes.
func (r *Rates) others() presence {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.beat) > heardFor {
		return nil
	}
	return r.there
}

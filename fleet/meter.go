package fleet

import (
	"slices"
	"time"
)

// meter is what this gateway has of one rate. Its Rates' mu protects it.
type meter struct {
	rates *Rates
	key   string
	rate  Rate

	level float64   // permits that are here
	at    time.Time // when
	share float64   // of the rate, that fills it
	said  float64   // the share that the store knows of
	goal  float64   // what the share is to come down to; below zero: to none; zero: it needs not
	spare bool      // what is here is to be given back

	drawing bool // a draw is under way
	drawn   time.Time
	waiters []chan permit

	until   time.Time // there is no permit before, as was said at drawn
	used    time.Time // when it was last asked for one
	asked   int       // how often it was, since counted
	counted time.Time
	wants   float64 // requests a second of late
}

// permit is what a request that has waited gets.
type permit struct {
	refused *RateError // nil: it may come
}

// spend takes one permit, if one is here.
func (m *meter) spend() bool {
	if m.level < whole {
		return false
	}
	m.level = max(0, m.level-1)
	return true
}

// known tells how long it is until there is a permit, where the store was asked just now. Where it was not, it is a guess.
func (m *meter) known(now time.Time) (after time.Duration, known bool) {
	every := time.Second
	if !m.rate.slow() {
		every /= 5
	}
	if now.Before(m.until) {
		return m.until.Sub(now), now.Sub(m.drawn) < every
	}
	return beatEvery, false
}

// without refuses a request without the store's word: by what it has said last, if that still holds, or by the whole rate where there is no
// other gateway and the store had nothing left of it. Else it may have permits that nobody can get.
func (m *meter) without(now time.Time) *RateError {
	alone, goes := m.alone()
	switch {
	case now.Before(m.until):
		return &RateError{After: m.until.Sub(now)}
	case !goes || now.Before(alone):
		return &RateError{After: beatEvery, Away: ErrAway}
	}
	of := max(1, m.rates.of)
	e := &RateError{After: max(time.Millisecond, m.rate.until(m.level, 1/float64(of)))}
	if of > 1 || m.until.IsZero() {
		e.Away = ErrAway
	}
	return e
}

// alone is from when on this gateway goes by its part of the rate alone; goes: if no word of it is heard until then. One that was never heard
// does not, as the others don't know of it, nor one that was heard once: others may go by parts that they had before it came.
func (m *meter) alone() (at time.Time, goes bool) {
	if m.share > 0 {
		return m.rates.beat.Add(shareFor), m.rates.known
	}
	return m.rates.beat.Add(aloneAfter), m.rates.known
}

// fill lets come in what has come since.
func (m *meter) fill(now time.Time) {
	alone, goes := m.alone()
	if !goes || now.Before(alone) {
		m.come(now, m.share)
		return
	}
	m.come(alone, m.share)
	m.come(now, 1/float64(max(1, m.rates.of)))
}

func (m *meter) come(now time.Time, share float64) {
	if !now.After(m.at) {
		return
	}
	if room := m.rate.room(share); m.level < room {
		m.level = min(room, m.level+m.rate.filled(share, now.Sub(m.at)))
	}
	m.at = now
}

// next is what is to be drawn now. What is given back is not here any more.
func (m *meter) next(now time.Time) draw {
	m.fill(now)
	d := draw{rate: m.rate, need: len(m.waiters), share: m.share}
	if over := now.Sub(m.counted); over >= time.Second {
		m.wants = (m.wants + float64(m.asked)/over.Seconds()) / 2
		m.asked, m.counted = 0, now
	}
	d.used = m.wants
	if !m.rate.slow() && (m.share > 0 || d.need > 0) && now.Sub(m.used) <= 2*beatEvery {
		d.wants = max(m.wants, float64(d.need), 1)
	}
	keep := m.rate.room(m.share)
	if m.spare {
		keep = 0
	}
	if d.back = max(0, m.level-keep); d.back > 0 {
		m.level -= d.back
	}
	m.spare = false
	return d
}

// take takes in what a draw has brought, and tells those that wait.
func (m *meter) take(got permits, now time.Time) {
	m.fill(now)
	m.level += got.Given
	m.share, m.said, m.goal = got.Share, got.Share, got.Goal
	m.drawn, m.until = now, time.Time{}
	if got.After > 0 {
		if m.share > 0 {
			got.After = max(time.Millisecond, min(got.After, m.rate.until(m.level, m.share)))
		}
		m.until = now.Add(got.After)
	}
	m.tell(got)
	m.spare = m.rate.slow() && m.level >= whole
}

// tell gives permits to those that wait, in order, and sends the others away where there are no more.
func (m *meter) tell(got permits) {
	for len(m.waiters) > 0 && m.level >= whole {
		m.level = max(0, m.level-1)
		m.waiters[0] <- permit{}
		m.waiters = m.waiters[1:]
	}
	if got.After > 0 {
		m.sendAway(&RateError{After: got.After})
	}
}

// sendAway refuses those that wait.
func (m *meter) sendAway(e *RateError) {
	for _, w := range m.waiters {
		w <- permit{e}
	}
	m.waiters = nil
}

// leave has one wait no more.
func (m *meter) leave(w chan permit) {
	m.waiters = slices.DeleteFunc(m.waiters, func(other chan permit) bool { return other == w })
}

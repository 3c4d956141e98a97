package fleet

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

// health is whether the store answers.
type health struct {
	wait time.Duration // the store is away once it has answered nothing for so long though it was asked
	log  *zap.Logger
	// happened is told when the store is away, and when it is back.
	happened func(what Happening, why error)

	mu    sync.Mutex
	first time.Time     // when the store has answered for the first time; zero: it has not
	back  time.Time     // when it was last back after it was away for so long that others may not have been able to speak; zero: never
	since time.Time     // the first question after the last answer; zero: none is open
	up    chan struct{} // closed by the next answer; nil: the last question was not in vain
	said  bool          // fleet.away was logged
	last  error
	probe chan struct{} // asks for a heartbeat
}

// asked notes that the store is asked.
func (h *health) asked() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() {
		h.since = time.Now()
	}
}

// answered notes that the store has answered, whatever it has said.
func (h *health) answered() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.up != nil && (h.first.IsZero() || time.Since(h.since) > mutedAfter) {
		h.back = time.Now() // before the start nobody knows how long it was away
	}
	if h.first.IsZero() {
		h.first = time.Now()
	}
	if h.said {
		h.said = false
		h.log.Info("fleet.back", zap.Duration("away", time.Since(h.since)))
		h.happened(StoreBack, nil)
	}
	h.since, h.last = time.Time{}, nil
	if h.up != nil {
		close(h.up)
		h.up = nil
	}
}

// mutedAfter is how long the store may be away without gateways falling silent by that: their last word may be old by then, and their next
// one takes as long.
const mutedAfter = silentFor - 2*seenEvery

// muted tells whether the store has just been away, so that gateways may not have been able to say that they are there.
func (h *health) muted() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.back.IsZero() && time.Since(h.back) <= silentFor
}

// judges tells whether this gateway has had the store for so long that it can tell who is silent.
func (h *health) judges() bool {
	h.mu.Lock()
	began := !h.first.IsZero() && time.Since(h.first) > silentFor
	h.mu.Unlock()
	return began && !h.muted()
}

// failed notes that the store has not answered.
func (h *health) failed(err error) {
	h.mu.Lock()
	h.last = err
	if h.up == nil {
		h.up = make(chan struct{})
	}
	h.mu.Unlock()
	h.longAway()
	select {
	case h.probe <- struct{}{}:
	default:
	}
}

// longAway tells whether the store has been away for longer than a moment.
func (h *health) longAway() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() || time.Since(h.since) <= h.wait {
		return false
	}
	if !h.said {
		h.said = true
		h.happened(StoreAway, h.last)
		h.log.Warn("fleet.away", zap.Error(h.last), zap.String("hint", "what is set aside for this gateway is spent meanwhile"))
	}
	return true
}

// isUp tells whether the last question was not in vain.
func (h *health) isUp() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.up == nil && (h.since.IsZero() || time.Since(h.since) <= h.wait)
}

// ready waits for an answer after a question that was in vain: one heartbeat finds out for all.
func (h *health) ready(ctx context.Context) {
	h.mu.Lock()
	up := h.up
	h.mu.Unlock()
	if up == nil {
		return
	}
	select {
	case <-up:
	case <-ctx.Done():
	}
}

// err is why the store is away.
func (h *health) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil {
		return fmt.Errorf("%w: it has not answered in %s", ErrAway, h.wait)
	}
	return fmt.Errorf("%w: %w", ErrAway, h.last)
}

package purchase

import (
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// doubt is what stays reserved of a token for a request that has ended, as nobody knows yet what its seller will take for it.
type doubt struct {
	micros int64
	timer  *time.Timer
}

// Doubt says, before the lease ends, that the request may cost so much more than is booked: what was reserved for it and not spent
// stays reserved until then, or until a balance has Told. It keeps no other request from being alone with the token.
func (l *Lease) Doubt(most money.Micros, until time.Time) { l.most, l.until = int64(most), until }

// keep has the token know of what is in doubt.
func (l *Lease) keep(delta money.Micros) {
	if left := min(l.most, l.cost.likely+min(int64(delta), 0)); left > 0 {
		l.token.doubt(left, time.Until(l.until))
	}
}

// Told says that the seller has told the token's balance, and the books follow it: nothing of it is in doubt any more.
func (l *Lease) Told() {
	if l.account() {
		return
	}
	t := l.token
	t.mu.Lock()
	all := t.doubts
	t.doubts = nil
	t.mu.Unlock()
	for _, d := range all {
		d.timer.Stop()
		t.free.Add(d.micros)
	}
}

// doubt keeps so much of the token out of use for a while.
func (t *token) doubt(micros int64, life time.Duration) {
	t.free.Add(-micros)
	d := &doubt{micros: micros}
	t.mu.Lock()
	defer t.mu.Unlock()
	d.timer = time.AfterFunc(max(life, 0), func() { t.certain(d) })
	t.doubts = append(t.doubts, d)
}

// certain gives back what was kept, unless that was done before.
func (t *token) certain(d *doubt) {
	t.mu.Lock()
	i := slices.Index(t.doubts, d)
	if i >= 0 {
		t.doubts = slices.Delete(t.doubts, i, i+1)
	}
	t.mu.Unlock()
	if i >= 0 {
		t.free.Add(d.micros)
	}
}

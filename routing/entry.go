package routing

import (
	"cmp"
	"slices"
	"time"
)

// Circuit is what a seller's circuit does, by the name it has on the status page.
type Circuit string

// The states of a circuit.
const (
	CircuitClosed   Circuit = "closed"
	CircuitOpen     Circuit = "open"
	CircuitHalfOpen Circuit = "half_open" // its trial is due or under way
)

// PoolEntry is a seller on the status page. Times are null when there was no such thing.
type PoolEntry struct {
	SellerID            string     `json:"sellerId"`
	URL                 string     `json:"url"` // the origin
	Circuit             Circuit    `json:"circuit"`
	ConsecutiveFailures int        `json:"consecutiveFailures"` // of requests or of probes, whichever is more
	LastSuccessAt       *time.Time `json:"lastSuccessAt"`
	LastFailAt          *time.Time `json:"lastFailAt"`
	HealthScore         int        `json:"healthScore"` // 0 to 1000
	LatencyMs           int64      `json:"latencyMs"`   // to the first content, 0 when not known
	ProbeLatencyMs      int64      `json:"probeLatencyMs"`
	InFlight            int64      `json:"inFlight"`
	DueAt               *time.Time `json:"dueAt"` // when a seller that is not fit may be asked again
	// Paused: an operator has paused the seller, so that it gets no requests.
	Paused bool `json:"paused,omitempty"`
	// Excluded: a running config excludes the seller.
	Excluded bool `json:"excluded,omitempty"`
	// Gone: neither a running config nor a registry of one names the seller at this address any more.
	Gone bool `json:"gone,omitempty"`
	// OpenModels are the models that are not asked for there, as they have failed by themselves.
	OpenModels []string `json:"openModels,omitempty"`
	// SetBackUntil: the seller has billed more than its price allows, and stands behind the others until then.
	SetBackUntil *time.Time `json:"setBackUntil,omitempty"`
	// Refuses: it takes the operator's account there no more. Of a seller that tokens are bought from it is nothing to be told: they come
	// and go.
	Refuses *RefusedAccount `json:"refuses,omitempty"`
}

// Key names the entry's seller.
func (e PoolEntry) Key() SellerKey { return SellerKey{e.SellerID, e.URL} }

// Compare orders entries by the sellers' ids and origins.
func (e PoolEntry) Compare(o PoolEntry) int {
	return cmp.Or(cmp.Compare(e.SellerID, o.SellerID), cmp.Compare(e.URL, o.URL))
}

// Entries gives all sellers that were dealt with, in order.
func (p *Pool) Entries() []PoolEntry {
	entries, now := make([]PoolEntry, 0, p.Size()), p.wallClock()
	p.each(func(s *State) { entries = append(entries, s.entry(now)) })
	slices.SortFunc(entries, PoolEntry.Compare)
	return entries
}

// Unmet is the entry of a seller that was never dealt with.
func Unmet(k SellerKey) PoolEntry {
	return PoolEntry{SellerID: k.ID, URL: k.Origin, Circuit: CircuitClosed, HealthScore: (*State)(nil).Score()}
}

func (s *State) entry(now time.Time) PoolEntry {
	e := PoolEntry{
		SellerID: s.key.ID, URL: s.key.Origin, Circuit: s.Circuit(now),
		ConsecutiveFailures: max(s.ailing().now().inRow(), int(s.failedProbe.Load())),
		LastSuccessAt:       s.pool.utc(s.lastSuccess.Load()),
		LastFailAt:          s.pool.utc(s.lastFail.Load()),
		HealthScore:         s.Score(),
		LatencyMs:           s.Latency().Milliseconds(),
		ProbeLatencyMs:      s.ProbeLatency().Milliseconds(),
		InFlight:            s.InFlight(),
		OpenModels:          s.openLines(),
		Refuses:             s.pool.refused.find(s.key),
	}
	if due := s.pool.time(s.ailing().dueAfter(s.rest.Load())); due.After(now) || e.Circuit != CircuitClosed {
		due = due.UTC()
		e.DueAt = &due
	}
	if until := s.SetBack(now); !until.IsZero() {
		until = until.UTC()
		e.SetBackUntil = &until
	}
	return e
}

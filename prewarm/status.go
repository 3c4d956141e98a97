package prewarm

import (
	"cmp"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
)

// Status is how things stand, for those who look in. Its members stand beside those of other parts.
type Status struct {
	Prewarm   EntriesStatus   `json:"prewarm"`
	FocusSet  []string        `json:"focusSet"` // models that are kept warm whether they are used or not; sorted
	Scheduler SchedulerStatus `json:"scheduler"`
}

// EntriesStatus is what is kept warm.
type EntriesStatus struct {
	Size    int           `json:"size"`
	Entries []EntryStatus `json:"entries"` // sorted by model, protocol and method
}

// EntryStatus is how warm a model is over a protocol, paid with a method.
type EntryStatus struct {
	ModelID        string           `json:"modelId"`
	Protocol       dialect.Protocol `json:"protocol"`
	PaymentMethod  string           `json:"paymentMethod"`
	State          State            `json:"state"`
	CandidateCount int              `json:"candidateCount"` // in its pool
	WarmedAt       *time.Time       `json:"warmedAt"`       // nil: never
	TTLMs          int64            `json:"ttlMs"`          // for how long from then on it counts as warm

	ConsecutiveWarmingFailures int `json:"consecutiveWarmingFailures"`
}

// SchedulerStatus is what was done since the process started.
type SchedulerStatus struct {
	Running         bool       `json:"running"` // a sweep is going on
	Sites           int        `json:"sites"`
	IntervalMs      int64      `json:"intervalMs"`
	Sweeps          int64      `json:"sweeps"`
	LazySweeps      int64      `json:"lazySweeps"` // for a model's first request
	Skipped         int64      `json:"skipped"`    // as the sweep before was still going on
	Probes          int64      `json:"probes"`
	Failures        int64      `json:"failures"`        // of probes
	NetworkDown     int64      `json:"networkDown"`     // sweeps whose failures were the gateway's own network
	Renewals        int64      `json:"renewals"`        // purchases ahead that were begun
	RenewalsRefused int64      `json:"renewalsRefused"` // and those that a limit, or the desk, forbade
	LastSweepAt     *time.Time `json:"lastSweepAt"`     // nil: none yet
	NextSweepAt     *time.Time `json:"nextSweepAt"`     // nil: none to come
}

// counts are protected by the warmer's mu.
type counts struct {
	sweeps, lazy, skipped, probes, failures, networkDown int64
	renewals, renewalsRefused                            int64
	lastSweep                                            time.Time
}

func (w *Warmer) sweepCount() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count.sweeps
}

// Status tells how things stand now. It is not for the request path.
func (w *Warmer) Status() Status {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Status{
		Prewarm:  EntriesStatus{Entries: make([]EntryStatus, 0, len(w.entries))},
		FocusSet: w.focusSet(),
		Scheduler: SchedulerStatus{
			Running: w.running, Sites: len(w.sites), IntervalMs: w.interval().Milliseconds(),
			Sweeps: w.count.sweeps, LazySweeps: w.count.lazy, Skipped: w.count.skipped,
			Probes: w.count.probes, Failures: w.count.failures, NetworkDown: w.count.networkDown,
			Renewals: w.count.renewals, RenewalsRefused: w.count.renewalsRefused, LastSweepAt: moment(w.count.lastSweep),
		},
	}
	if len(w.sites) > 0 && !w.closed {
		s.Scheduler.NextSweepAt = moment(w.next)
	}
	for k, e := range w.entries {
		s.Prewarm.Entries = append(s.Prewarm.Entries, EntryStatus{
			ModelID: k.model, Protocol: k.protocol, PaymentMethod: k.method, State: e.now(now), CandidateCount: e.candidates,
			WarmedAt: moment(e.warmedAt), TTLMs: e.ttl.Milliseconds(), ConsecutiveWarmingFailures: e.failures,
		})
	}
	for _, site := range w.sites {
		s.Prewarm.Entries = append(s.Prewarm.Entries, site.unswept(s.Prewarm.Entries)...)
	}
	s.Prewarm.Size = len(s.Prewarm.Entries)
	slices.SortFunc(s.Prewarm.Entries, func(a, b EntryStatus) int {
		return cmp.Or(cmp.Compare(a.ModelID, b.ModelID), cmp.Compare(a.Protocol, b.Protocol),
			cmp.Compare(a.PaymentMethod, b.PaymentMethod))
	})
	return s
}

// unswept gives the entries of the focus set that are not among those there are, as no sweep has come to them yet. w.mu is
// held.
func (s *Site) unswept(there []EntryStatus) (cold []EntryStatus) {
	for _, name := range s.models() {
		model, ok := s.o.Catalogue.Resolve(name)
		if !ok {
			continue
		}
		for _, p := range dialect.Protocols {
			methods := make(map[string]int)
			for _, seller := range s.o.Catalogue.Pool(model, p) {
				for _, method := range seller.Methods {
					if !seller.Account {
						methods[method]++
					}
				}
			}
			for method, n := range methods {
				e := EntryStatus{ModelID: model, Protocol: p, PaymentMethod: method, State: Cold, CandidateCount: n}
				if !slices.ContainsFunc(there, e.sameAs) && !slices.ContainsFunc(cold, e.sameAs) {
					cold = append(cold, e)
				}
			}
		}
	}
	return cold
}

func (e EntryStatus) sameAs(o EntryStatus) bool {
	return e.ModelID == o.ModelID && e.Protocol == o.Protocol && e.PaymentMethod == o.PaymentMethod
}

// models gives the focus set of the site, as far as it is known. The warmer's mu is held.
func (s *Site) models() []string {
	if len(s.o.Models) > 0 {
		return s.o.Models
	}
	return s.warmer.top.models
}

// focusSet gives the models of all sites. w.mu is held.
func (w *Warmer) focusSet() []string {
	models := []string{}
	for _, s := range w.sites {
		models = append(models, s.models()...)
	}
	slices.Sort(models)
	return slices.Compact(models)
}

// moment gives a time as it is shown.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

package purchase

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// Aging is a seller whose tokens in use come to an end, and none is there to take over.
type Aging struct {
	SellerID string
	Origin   string
	Model    string // one that its tokens were used for in this process

	used, ahead time.Duration
}

// Aging gives the sellers at which a token should be bought ahead: one was used within the last used, and expires within
// ahead of its margin or has less than twice RebuyBelow on it (half its credit, where it never had more). It looks at every seller that has had
// a token, so it is not for the request path.
func (d *Desk) Aging(used, ahead time.Duration) []Aging {
	now := time.Now()
	var all []Aging
	for k, s := range *d.shelves.Load() {
		a := Aging{SellerID: k.id, Origin: k.origin, used: used, ahead: ahead}
		if model := s.model.Load(); model != nil && s.ages(a, now) {
			a.Model = *model
			s.mu.Lock()
			wanted := s.wantsAhead(now)
			s.mu.Unlock()
			if wanted {
				all = append(all, a)
			}
		}
	}
	return all
}

// Renew begins to buy a token ahead, unless that is not wanted any more. It does not wait: the purchase goes on by itself,
// and requests that need one meanwhile share it. It may take two of a seller's purchases of a minute, as the third is for
// requests. The error says, as that of Lease, why none was begun.
func (d *Desk) Renew(a Aging, w Want) (begun bool, err error) {
	s := d.shelf(sellerKey{a.SellerID, a.Origin})
	now := time.Now()
	w.Likely, w.Bound = 0, 0
	terms := d.terms.Load()
	// As a token is low: where RebuyBelow is more than one ever has, half of it will do.
	need := max(1, min(2*terms.RebuyBelow, terms.Amount/2))
	loan := Loan{SellerID: a.SellerID, Origin: a.Origin, Need: need, After: now.Add(terms.ExpiryMargin + a.ahead)}
	if j, ok := d.journal.(lender); ok && s.ages(a, now) {
		ctx, stop := context.WithTimeout(d.ctx, lendTime)
		defer stop()
		if j.Borrow(ctx, loan) {
			return false, nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ages(a, now) || !s.wantsAhead(now) {
		return false, nil
	}
	return s.buyAhead(w, loan, now)
}

// buyAhead begins it. s.mu is held.
func (s *shelf) buyAhead(w Want, loan Loan, now time.Time) (begun bool, err error) {
	f, err := s.begin(w, now, false)
	if err != nil {
		return false, err
	}
	f.ahead, f.loan = true, loan
	if renewed := s.desk.observer.Renewed; renewed != nil {
		renewed(s.seller.id)
	}
	return true, nil
}

// aheadByNext has what was to be bought ahead be paid by the next payment method, where nothing came of it by the first: when it is looked again
// whether tokens come to their end, that may be asked anew. s.mu is held.
func (s *shelf) aheadByNext(f *flight, now time.Time) {
	w := f.machine.want
	w.Likely, w.Bound = 0, 0
	if !s.wantsAhead(now) || s.method(w.Methods, f.machine.p.AskedMicros, now).Name == f.method {
		return
	}
	if _, err := s.buyAhead(w, f.loan, now); err != nil {
		s.desk.log.Debug("prewarm.renewal.refused", zap.String("seller", s.seller.id), zap.Error(err))
	}
}

// wantsAhead tells whether nothing stands in the way of buying ahead. s.mu is held.
func (s *shelf) wantsAhead(now time.Time) bool {
	if s.flight != nil {
		return false // its token will do
	}
	if s.newest != nil && !s.newest.served.Load() {
		return false // before the last one bought has served, another would be bought for nobody
	}
	return !s.dealings.twoOfThisMinute(now)
}

// ages tells whether a token in use comes to its end, and no other is there to take over. No lock is taken.
func (s *shelf) ages(a Aging, now time.Time) bool {
	terms := s.desk.terms.Load()
	deadline, aging := now.Add(terms.ExpiryMargin), false
	for _, t := range *s.tokens.Load() {
		if t.state.Load() != live || !t.expires.After(deadline) {
			continue
		}
		low := t.low(2 * int64(terms.RebuyBelow))
		switch since := now.Add(-a.used); {
		case low && t.paidSince(since), !t.expires.After(deadline.Add(a.ahead)) && t.usedSince(since):
			aging = true
		case !low:
			return false // it takes over
		}
	}
	return aging
}

// usedSince tells whether a request has used the token since then, or does so now.
func (t *token) usedSince(then time.Time) bool {
	return t.out() > 0 || t.usedAt.Load() >= then.UnixNano()
}

// paidSince is usedSince for requests that may cost something: others need none of its credit.
func (t *token) paidSince(then time.Time) bool {
	return t.bounds.Load() > 0 || t.paidAt.Load() >= then.UnixNano()
}

// usedFor remembers what a token of the seller was used for: the model to name when one is bought ahead.
func (s *shelf) usedFor(model string) {
	if s.model.Load() == nil {
		kept := model // so that nothing is allocated otherwise
		s.model.Store(&kept)
	}
}

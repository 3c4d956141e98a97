package ledger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// leftHolds are the holds that a process before this one has left open, oldest first.
func (s *state) leftHolds() []*Hold {
	return slices.SortedFunc(maps.Values(s.holds), func(a, b *Hold) int {
		return cmp.Or(a.PlacedAt.Compare(b.PlacedAt), cmp.Compare(a.ID, b.ID))
	})
}

// recover puts in order what was left behind, and waits until that is durable.
func (l *Ledger) recover(holds []*Hold) error {
	err := l.recoverHolds(holds)
	if err == nil {
		err = l.sweepTokens()
	}
	if err == nil && l.shared == nil { // else SetShares does
		err = l.look(context.Background(), func(s *state) { s.loadDoubts(l.now(), l.shareOf) })
	}
	if err != nil {
		return fmt.Errorf("ledger: putting in order what a process has left behind: %w", err)
	}
	return nil
}

// recoverHolds books what a dead process has left open: what became of those requests is not known, so each is booked as
// an estimate, and only once, since its hold goes in the same transaction.
func (l *Ledger) recoverHolds(holds []*Hold) error {
	var billed money.Micros
	settlings := make([]*Settling, 0, len(holds))
	for _, h := range holds {
		in := Inference{
			Request: h.Request, HoldID: h.ID, Seller: h.Seller, Origin: h.Origin, TokenID: h.TokenID, Attempts: h.Attempt,
			Status: StatusInterrupted, Price: h.Price, Answered: true, Left: true, Flags: []string{billing.FlagEstimated, billing.FlagRecovered},
		}
		if h.Charged { // the attempt had failed and was booked, and no other was made
			in.Status, in.Answered, in.Flags = StatusFailed, false, []string{billing.FlagRecovered}
		}
		settlings = append(settlings, l.Settle(in))
	}
	for _, s := range settlings {
		booked, err := s.Wait(context.Background())
		if err != nil {
			return err
		}
		billed += booked.Entry.BilledMicros
	}
	if len(holds) > 0 {
		l.log.Warn("ledger.holds.recovered", zap.Int("holds", len(holds)), zap.Int64("estimated_micros", int64(billed)))
	}
	return nil
}

// sweepTokens removes tokens that no request can use any more: after a restart nobody shares an empty one. One from which an estimate has
// taken something may not be empty, and the last one of a seller is good for what costs nothing.
func (l *Ledger) sweepTokens() error {
	var useless []*token
	err := l.look(context.Background(), func(s *state) {
		last := make(map[[2]string]*token)
		for _, t := range s.tokens {
			if o := last[t.of()]; t.dropped == "" && t.ExpiresAt.After(l.now()) && (o == nil || t.BalanceMicros > o.BalanceMicros) {
				last[t.of()] = t
			}
		}
		for _, t := range s.tokens {
			good := t.BalanceMicros > 0 || t.Shared || t == last[t.of()] || t.guessed() > 0 && t.ExpiresAt.After(l.now())
			if !good || t.dropped != "" {
				useless = append(useless, t)
			}
		}
	})
	commits := make([]*Commit, 0, len(useless))
	for _, t := range useless {
		commits = append(commits, l.submit(plainWeight, func(b *batch) error {
			t.dropped = cmp.Or(t.dropped, "spent")
			b.removeDropped(t)
			return nil
		}, nil))
	}
	for _, c := range commits {
		err = cmp.Or(err, c.Wait(context.Background()))
	}
	return err
}

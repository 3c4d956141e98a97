package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Periods name a day, its week and its month: 2026-03-02, the date of the week's first day, 2026-03.
type Periods = [periods]string

// Amounts are of a day, a week and a month. As budgets: below zero is none.
type Amounts = [periods]money.Micros

// Share is this ledger's part of one holder's budgets, a member's or a group's. The ledger's own are all of them; in a fleet it is what
// is set aside for this ledger. Its methods may be called from many goroutines, by the committer too but for Await.
type Share interface {
	// Reserve holds so much more in these periods, or gives the index of the budget that does not bear it: -1 where all do. It does no I/O
	// and does not wait.
	Reserve(p Periods, budgets Amounts, more money.Micros) (refused int)
	// Await is Reserve that may wait for what makes it possible: for requests that have ended and are just being booked, or for a grant. An
	// error that is not ctx's says that nobody can tell.
	Await(ctx context.Context, p Periods, budgets Amounts, more money.Micros) (refused int, err error)
	// Release gives back what was held in these periods.
	Release(p Periods, held money.Micros)
	// Settle counts a cost in these periods, as soon as it is applied and before it is durable. Below zero it corrects one.
	Settle(p Periods, cost money.Micros)
	// Standing is what is spent and held in these periods in all, by other ledgers as far as that is known.
	Standing(p Periods) (spent, held Amounts)
}

// Shares bring the shares of a fleet.
type Shares interface {
	// Of gives a holder's share, a member's or a group's. spent is what this ledger has booked for it in the last days, weeks and months,
	// by their names: what a process before this one has left open is in it. It is called once for each holder.
	Of(group bool, name string, spent [periods]map[string]money.Micros) Share
}

// Refresher are Shares that can find out what other ledgers have spent and hold by now, to be shown. It waits for a moment at most.
type Refresher interface {
	Refresh(ctx context.Context, members, groups []string)
}

// Hearer is a Share that can tell when it has last heard of what other ledgers have spent; zero: it has not.
type Hearer interface{ Heard() time.Time }

// Refresh has what is told from now on of the budgets of these members and groups be of now, as far as that can be known in a moment: what
// other ledgers of a fleet have spent may have been heard of long ago. Without a fleet it is always of now.
func (l *Ledger) Refresh(ctx context.Context, members, groups []string) {
	if l.shared == nil {
		return
	}
	if r, ok := l.shared.attached().(Refresher); ok {
		r.Refresh(ctx, members, groups)
	}
}

// Heard is when this ledger has last heard of what others of its fleet have spent of the budgets of a member, and of a group, where one is
// named; of both, the earlier. Zero: it has not, or there is no fleet, or no budget.
func (l *Ledger) Heard(member, group string) (at time.Time) {
	if l.shared == nil {
		return at
	}
	for _, h := range []holder{{name: member}, {group: true, name: group}} {
		if h.name == "" {
			continue
		}
		known, _ := l.shared.known.Load(h)
		if one, ok := known.(Hearer); ok && (at.IsZero() || one.Heard().Before(at)) {
			at = one.Heard()
		}
	}
	return at
}

// AwayError refuses a request of which nobody can tell whether a budget bears it: what of it is set aside for this ledger does not, and
// more can't be asked for.
type AwayError struct{ Err error }

func (e *AwayError) Error() string {
	return fmt.Sprintf("ledger: nothing of a budget can be had for a request: %v", e.Err)
}

func (e *AwayError) Unwrap() error { return e.Err }

// Teller is a Share that can tell the others what is spent here, before anybody reserves.
type Teller interface {
	Tell(p Periods, budgets Amounts)
}

// SetShares has budgets go by these shares, before the first request comes. The ledger was opened with Shared. What requests of a moment
// ago may still cost is held at them again.
func (l *Ledger) SetShares(s Shares) {
	l.shared.attach(s)
	_ = l.look(context.Background(), func(s *state) { s.loadDoubts(l.now(), l.shareOf) }) // else it has stopped, and holds nothing
}

// Attend has a holder's share be there, as a request of it would.
func (l *Ledger) Attend(group bool, name string) {
	h := holder{group, name}
	l.shareOf(h, l.state.spending.of(h))
}

// shareOf is a holder's share: its meter, where there is no fleet.
func (l *Ledger) shareOf(h holder, m *meter) Share {
	if l.shared == nil {
		return m
	}
	return l.shared.of(l, h, m)
}

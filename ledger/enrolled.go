package ledger

import (
	"context"
	"encoding/json"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Enrolled is what is kept of a member that was added at run time, or of what was granted to another. No key is in it.
type Enrolled struct {
	Name string `json:"name"`
	// Added says that the member is the ledger's own. Else it is one of the configuration, or whom another module has let in, and
	// there are Raises alone.
	Added    bool       `json:"added,omitempty"`
	Keys     []KeptKey  `json:"keys,omitempty"`
	Disabled bool       `json:"disabled,omitempty"`
	Budget   KeptBudget `json:"budget"`
	Rate     KeptRate   `json:"rate,omitzero"`
	Models   []string   `json:"models,omitempty"` // globs; none: all
	Group    string     `json:"group,omitempty"`
	Raises   []Raise    `json:"raises,omitempty"`

	CreatedAt time.Time `json:"createdAt"`
	ChangedAt time.Time `json:"changedAt"`
}

// KeptKey is one of a member's keys.
type KeptKey struct {
	SHA256 string    `json:"sha256"`         // of the key, in hex
	Until  time.Time `json:"until,omitzero"` // when it ends; zero: never
}

// KeptBudget is what a member may spend; nil: there is no bound.
type KeptBudget struct {
	Daily   *money.Micros `json:"daily,omitempty"`
	Weekly  *money.Micros `json:"weekly,omitempty"`
	Monthly *money.Micros `json:"monthly,omitempty"`
}

// KeptRate is how often a member may ask; no requests: there is no bound.
type KeptRate struct {
	Requests int           `json:"requests"`
	Per      time.Duration `json:"per"` // nanoseconds
}

// Raise is by how much a daily budget is raised for a while.
type Raise struct {
	AmountMicros money.Micros `json:"amountMicros"`
	Until        time.Time    `json:"until"`
	// Reference is what whoever has ordered it calls it; empty: nothing.
	Reference string `json:"reference,omitempty"`
}

// maxEnrolled bounds what is kept of a member, in bytes: far more than anybody has a use for.
const maxEnrolled = 64 << 10

// EditMember changes what is kept of a member, and books the order as an entry; both are durable when it returns without an error.
// The member is o.Member. Edit is given what is kept, nil where that is nothing, as its own, and gives what is to be kept, nil where that
// is nothing, with a note on what is another; it is called by the committer, and must not block. With an error of it all stays as it was.
func (l *Ledger) EditMember(ctx context.Context, o Order, edit func(*Enrolled) (*Enrolled, string, error)) error {
	return l.submit(plainWeight+3*maxEnrolled, func(b *batch) error {
		was := new(Enrolled)
		found, err := b.kept(o.record(""), was)
		if err != nil {
			return err
		}
		if !found {
			was = nil
		}
		is, note, err := edit(was)
		if err != nil {
			return err
		}
		if is == nil {
			return b.order(o, "", note, nil)
		}
		if is.ChangedAt = b.wall.UTC().Truncate(time.Second); is.CreatedAt.IsZero() {
			is.CreatedAt = is.ChangedAt
		}
		if raw, err := json.Marshal(is); err != nil || len(raw) > maxEnrolled {
			return ErrTooLarge
		}
		return b.order(o, "", note, is)
	}, nil).Wait(ctx)
}

// Enrolled gives what is kept of members, by name.
func (l *Ledger) Enrolled() ([]Enrolled, error) {
	var all []Enrolled
	err := l.db.View(func(txn *badger.Txn) error {
		return each(txn, memberPrefix, func(_ string, e *Enrolled) error {
			all = append(all, *e)
			return nil
		})
	})
	return all, err
}

// Today gives when the calendar's day of now begins and ends, and the zone that it is in.
func (l *Ledger) Today() (begins, ends time.Time, zone *time.Location) {
	s := l.state.spending
	s.reading.RLock()
	defer s.reading.RUnlock()
	day := s.on(l.now())
	return day.begins[daily], day.ends[daily], s.calendar.zone()
}

package purchase

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

const (
	// preparedFor is how long what a method has prepared is paid without being prepared anew: some intents end within seconds.
	preparedFor = 5 * time.Second
	// approveWithin is how long a human has to approve a purchase whose order does not say when it ends.
	approveWithin = 24 * time.Hour
)

// customers is a Journal that knows where a token was ever granted; *ledger.Ledger is one.
type customers interface {
	Bought(seller, origin string) bool
}

// wantsApproval tells whether the operator wants to be asked before this purchase is paid.
func (m *machine) wantsApproval() bool {
	t := m.guest.desk.terms.Load()
	if t.ApproveFrom > 0 && m.p.AmountMicros >= t.ApproveFrom {
		return true
	}
	if !t.ApproveFirst {
		return false
	}
	known, ok := m.journal.(customers)
	return !ok || !known.Bought(m.p.Seller, m.p.Origin)
}

// waitsUntil is when a purchase that is prepared can no longer be paid; zero: whenever.
func (m *machine) waitsUntil() time.Time {
	if ends := m.quote().ExpiresAt; !ends.IsZero() || !m.p.Awaits {
		return ends
	}
	return m.p.UpdatedAt.Add(approveWithin)
}

// until is until when the purchase waits where it is, or its money can move; zero: that is not known.
func (m *machine) until() time.Time {
	switch m.p.State {
	case ledger.Prepared:
		return m.waitsUntil()
	case ledger.Paying, ledger.NeedsHuman, ledger.Proven, ledger.Completing:
		if m.guest.Method == nil {
			return time.Time{}
		}
		ends := m.guest.deadline(m.guest.desk.ctx, m.quote(), m.p.Intent)
		if ends.IsZero() && (m.p.State == ledger.Paying || m.p.State == ledger.NeedsHuman) {
			return m.quote().ExpiresAt
		}
		return ends
	}
	return time.Time{}
}

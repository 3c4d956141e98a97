package market

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// Terms are what a config says that holds for all sites of the ledger.
type Terms struct {
	// Purchase says how much is bought, and when.
	Purchase purchase.Terms
	// Cooldown is of a circuit's first opening.
	Cooldown time.Duration
	// Calendar says when the days, weeks and months of budgets begin.
	Calendar ledger.Calendar
	// Retain is how long entries stay in the ledger's store; 0: for ever.
	Retain time.Duration
}

// HoldTerms puts a config's terms in force until release is called. The newest config's count; where that one goes (a reload that
// failed half-way), the one before it counts again. Where the last one goes they stay as they were.
func (m *Market) HoldTerms(t Terms) (release func()) {
	withdraw := m.terms.hold(&t)
	m.applyTerms()
	return func() { withdraw(); m.applyTerms() }
}

// applyTerms puts the newest terms in force, those of one config after those of another.
func (m *Market) applyTerms() {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.terms.newest()
	if t == nil {
		return
	}
	m.Desk.SetTerms(t.Purchase)
	if m.Fleet != nil {
		m.Fleet.setLimits(t.Purchase)
	}
	m.Pool.SetCooldown(t.Cooldown)
	if err := m.Ledger.SetCalendar(context.Background(), t.Calendar); err != nil {
		m.logger.Error("ledger.calendar.failed", zap.Error(err)) // it has stopped, and nothing is spent
	}
	m.Ledger.Retain(t.Retain)
}

// Calendar says when the days, weeks and months of budgets begin, by the terms in force.
func (m *Market) Calendar() ledger.Calendar {
	c := ledger.Calendar{Zone: time.UTC, Week: time.Monday}
	if t := m.terms.newest(); t != nil {
		c = t.Calendar
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	return c
}

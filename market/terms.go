package market

import (
	"context"
	"slices"
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
	held := &t
	m.mu.Lock()
	defer m.mu.Unlock()
	m.terms = append(m.terms, held)
	m.applyTerms()
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.terms = slices.DeleteFunc(m.terms, func(o *Terms) bool { return o == held })
		m.applyTerms()
	}
}

func (m *Market) applyTerms() {
	if n := len(m.terms); n > 0 {
		m.Desk.SetTerms(m.terms[n-1].Purchase)
		if m.Fleet != nil {
			m.Fleet.setLimits(m.terms[n-1].Purchase)
		}
		m.Pool.SetCooldown(m.terms[n-1].Cooldown)
		if err := m.Ledger.SetCalendar(context.Background(), m.terms[n-1].Calendar); err != nil {
			m.logger.Error("ledger.calendar.failed", zap.Error(err)) // it has stopped, and nothing is spent
		}
		m.Ledger.Retain(m.terms[n-1].Retain)
	}
}

// Calendar says when the days, weeks and months of budgets begin, by the terms in force.
func (m *Market) Calendar() ledger.Calendar {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := ledger.Calendar{Zone: time.UTC, Week: time.Monday}
	if n := len(m.terms); n > 0 {
		c = m.terms[n-1].Calendar
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	return c
}

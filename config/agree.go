package config

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// Agree says what two sites that share a ledger may not say differently, as what is counted and known there is one: their limits
// on purchases, the ledger's key, the cooldown of circuits, the calendar of budgets, how long entries are kept, the rate of a member or group that both have, and a
// payment method that both have: purchases of all sites are paid by one instance of it. It is nil where they agree.
// The error names the word and both values, but for the key and what is said of a payment method.
func (s *Settings) Agree(other *Settings) error {
	return cmp.Or( // all are asked, the first that differs is told
		agreeOnLimits(s.Terms, other.Terms),
		agreed(s.LedgerKeySecret == other.LedgerKeySecret, "its key: give their ledger blocks the same key"),
		same("cooldown", "failover cooldown", s.Failover.Cooldown.String(), other.Failover.Cooldown.String()),
		same("days of budgets", "budgets zone", s.Zone.String(), other.Zone.String()),
		same("weeks of budgets", "budgets week", s.Week.String(), other.Week.String()),
		same("time for which entries are kept", "ledger retain", retained(s.LedgerRetain), retained(other.LedgerRetain)),
		agreed(s.Fleet.String() == other.Fleet.String(), "the fleet: give both the same fleet block, or none"),
		s.agreeOnPayments(other),
		s.agreeOnRates(other),
	)
}

func agreeOnLimits(a, b purchase.Terms) error {
	limit := func(word, a, b string) error { return same("limits", "purchase "+word, a, b) }
	return cmp.Or(
		limit("amount", dollars(a.Amount), dollars(b.Amount)),
		limit("rebuy_below", dollars(a.RebuyBelow), dollars(b.RebuyBelow)),
		limit("daily_limit", dollars(a.DailyLimit), dollars(b.DailyLimit)),
		limit("session_limit", dollars(a.SessionLimit), dollars(b.SessionLimit)),
		limit("seller_limit", dollars(a.SellerLimit), dollars(b.SellerLimit)),
		limit("expiry_margin", a.ExpiryMargin.String(), b.ExpiryMargin.String()),
		limit("approve", approved(a), approved(b)),
		agreed(a == b, "the limits: give their purchase blocks the same values"),
	)
}

func (s *Settings) agreeOnPayments(other *Settings) error {
	for _, name := range slices.Sorted(maps.Keys(s.payments)) {
		if theirs, both := other.payments[name]; both && s.payments[name] != theirs {
			return fmt.Errorf("the payment method %s: give both the same payment block, or each a ledger of its own", name)
		}
	}
	return nil
}

func (s *Settings) agreeOnRates(other *Settings) error {
	for _, name := range slices.Sorted(maps.Keys(s.rates)) {
		theirs, both := other.rates[name]
		if !both {
			continue
		}
		if err := same("rate of a "+strings.Fields(name)[0], name+" rate", s.rates[name], theirs); err != nil {
			return err
		}
	}
	return nil
}

// same tells of a word that has not the same value at both.
func same(what, word, a, b string) error {
	if a == b {
		return nil
	}
	return fmt.Errorf("the %s: %s is %s at one and %s at the other; give both the same", what, word, a, b)
}

// agreed tells of what is not the same at both, and is not to be shown.
func agreed(yes bool, otherwise string) error {
	if yes {
		return nil
	}
	return errors.New(otherwise)
}

// retained is how long entries are kept.
func retained(d time.Duration) string {
	if d == 0 {
		return "not there"
	}
	return d.String()
}

// approved is what purchases are approved by a human.
func approved(t purchase.Terms) string {
	switch {
	case t.ApproveFrom > 0 && t.ApproveFirst:
		return "first, and above " + dollars(t.ApproveFrom-1)
	case t.ApproveFrom > 0:
		return "above " + dollars(t.ApproveFrom-1)
	case t.ApproveFirst:
		return "first"
	}
	return "not there"
}

func dollars(m money.Micros) string {
	if m == noLimit {
		return "no limit"
	}
	return "$" + m.String()
}

// DoubtsBeside are those of a configuration beside that of another site with the same ledger: what a member or a group of one name spends is one, and may
// have other bounds at each.
func (s *Settings) DoubtsBeside(other *Settings) (all []Doubt) {
	for _, name := range slices.Sorted(maps.Keys(s.budgets)) {
		mine, theirs := s.budgets[name], other.budgets[name]
		if _, both := other.budgets[name]; both && mine != theirs {
			all = append(all, Doubt{name, fmt.Sprintf("it has %s here, and %s at another site with this ledger: what is spent at either counts at both, and each refuses by its own", mine, theirs)})
		}
	}
	return all
}

// spokenPayments gives digests of what is said of each payment method, the same for the same JSON. There may be a key in it.
func (c *Config) spokenPayments() (map[string][sha256.Size]byte, error) {
	said := make(map[string][sha256.Size]byte, len(c.PaymentsRaw))
	for _, raw := range c.PaymentsRaw {
		module, err := paymentGuest.nameIn(raw)
		if err != nil {
			return nil, err
		}
		var v any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return nil, errors.New("it is not JSON")
		}
		b, err := json.Marshal(v)
		if err != nil {
			return nil, errors.New("it is not JSON")
		}
		said[paymentName(raw, module)] = sha256.Sum256(b)
	}
	return said, nil
}

// spokenRates gives the rates of members and groups as they are said in errors.
func (c *Config) spokenRates() map[string]string {
	rates := make(map[string]string, len(c.Members)+len(c.Groups))
	for _, m := range c.Members {
		rates["member "+m.Name] = m.Rate.spoken()
	}
	for _, g := range c.Groups {
		rates["group "+g.Name] = g.Rate.spoken()
	}
	return rates
}

// spokenBudgets gives the budgets of members, with the group whose budgets are theirs as well, and of groups.
func (c *Config) spokenBudgets() map[string]string {
	budgets := make(map[string]string, len(c.Members)+len(c.Groups))
	for _, m := range c.Members {
		budgets["member "+m.Name] = m.BoundsConfig.spokenBudgets()
	}
	for _, g := range c.Groups {
		budgets["group "+g.Name] = g.spokenBudgets()
		for _, name := range g.Members {
			if said, ok := budgets["member "+name]; ok {
				budgets["member "+name] = said + " in group " + g.Name
			}
		}
	}
	return budgets
}

// spokenBudgets are the budgets that are configured, as amounts that compare.
func (b *BoundsConfig) spokenBudgets() string {
	var all []string
	for _, said := range []struct{ word, usd string }{{"daily_budget", b.DailyBudget}, {"weekly_budget", b.WeeklyBudget}, {"monthly_budget", b.MonthlyBudget}} {
		if usd, err := money.Parse(said.usd); err == nil {
			all = append(all, said.word+" $"+usd.String())
		}
	}
	if len(all) == 0 {
		return "no budget"
	}
	return strings.Join(all, ", ")
}

// spoken is a member's rate as it is configured.
func (r *RateConfig) spoken() string {
	if r == nil {
		return "no limit"
	}
	return fmt.Sprintf("%d in %s", r.Requests, time.Duration(r.Per))
}

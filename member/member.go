// Package member owns who asks: the members of a team, the keys they show, the models they may use and how often.
package member

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Config is one member as the configuration has it, with secrets resolved.
type Config struct {
	// Name is what the member is called in the ledger, the metrics and the access log: 1 to 64 printable characters
	// without spaces.
	Name string
	// Keys are as good as one another. A member without any is found by name alone.
	Keys []Key
	Limits
}

// Limits are what a member may do.
type Limits struct {
	Bounds
	// Models are globs of the models that the member may use, as the sellers call them; none means all.
	Models []string
}

// Bounds are what a member, or the members of a group together, may ask and spend.
type Bounds struct {
	// Rate is how often they may ask; the zero value is no bound.
	Rate Rate
	// The budgets are what they may spend in a day, a week and a month; below zero there is no bound.
	DailyBudget, WeeklyBudget, MonthlyBudget money.Micros
}

// Unbound bounds nothing.
var Unbound = Bounds{DailyBudget: -1, WeeklyBudget: -1, MonthlyBudget: -1}

// Key is what a member's clients may show.
type Key struct {
	// Secret is the key itself, or "sha256:" and the 64 hexadecimal digits of its SHA-256.
	Secret string
	// Until is when it ends; the zero value is never.
	Until time.Time
}

// Member is one who may ask.
type Member struct {
	// Name is unique in its Directory.
	Name string
	// Limits are the member's own.
	Limits
	// Group is what the member shares bounds with; nil: nobody.
	Group *Group
	// Raises are what the daily budget is raised by at run time.
	Raises []Raise
	// Disabled says that the member was added at run time, and may not ask now.
	Disabled bool
}

// Group is members that share bounds, beside those of their own.
type Group struct {
	// Name is unique in its Directory.
	Name string
	Bounds
}

// Anonymous is who asks where nobody is configured. It may use every model.
var Anonymous = &Member{Name: "anonymous", Limits: Limits{Bounds: Unbound}}

// Allows says whether the member may use a model, by the id under which it is served (after aliases).
func (m *Member) Allows(servedModel string) bool {
	for _, glob := range m.Models {
		if match(glob, servedModel) {
			return true
		}
	}
	return len(m.Models) == 0
}

const maxName = 64

// CheckName says what is wrong with a member's name.
func CheckName(name string) error {
	if !validName(name) {
		return fmt.Errorf("%q is not a member's name: expected 1 to %d printable characters without spaces", name, maxName)
	}
	return nil
}

func validName(name string) bool {
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) || r == ' ' {
			return false
		}
	}
	return true
}

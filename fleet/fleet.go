// Package fleet makes several gateways one: what they may spend of the budgets of members and groups, how often members may ask,
// what is bought, and the books. It is pure but for a Store, which an engine brings.
//
// A budget is shared by escrow. The store sets parts of it aside for gateways, which spend them without asking: a part that is set
// aside is nobody else's, however long its gateway is silent, so nothing is ever spent twice, and nothing needs a clock. What
// is left of a part comes back when its gateway gives it back, when it starts again on its books, when the period ends, or by an
// operator's word.
package fleet

import (
	"errors"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Errors of a fleet, which its stores wrap.
var (
	// ErrAway: the store can't be reached, or does not answer in time. Nothing has changed, or ErrUnknown is in it too.
	ErrAway = errors.New("fleet: the store is away")
	// ErrUnknown: a change may have been made or not. The same one is to be made again.
	ErrUnknown = errors.New("fleet: it is not known whether the store has made a change")
	// ErrFenced: another process speaks for this gateway, or what this one has does not agree with what the store has set aside for
	// it: it must spend nothing more.
	ErrFenced = errors.New("fleet: another process speaks for this gateway, or it has lost what it knew")
)

// ErrFork tells that the store has other entries of this gateway than these, or has them after other ones: a copy of its directory
// has written there. Nothing was added.
var ErrFork = errors.New("fleet: the store has another entry of this gateway in this place: its directory was copied, or restored")

// Namespace is where Caddy finds engines: a module's id is this, a dot, and the word after "fleet" in the Caddyfile.
const Namespace = "http.tokenbuddy.fleet"

// The periods of a budget, in the order in which Periods and Amounts have them.
const (
	Day = iota
	Week
	Month
	periods
)

// Periods name a day, its week and its month: 2026-03-02, the date of the week's first day, 2026-03.
type Periods = [periods]string

// Amounts are of a day, a week and a month. As bounds: below zero is none.
type Amounts = [periods]money.Micros

// ScopeOf is the name of a period in a budget's state: its kind and its name, such as d2026-03-02, w2026-03-02 and m2026-03.
func ScopeOf(kind int, period string) string { return "dwm"[kind:kind+1] + period }

// ScopeParts gives what ScopeOf has made a scope of; below zero: it is none.
func ScopeParts(scope string) (kind int, period string) {
	for kind = range periods {
		if len(scope) > 1 && scope[0] == ScopeOf(kind, "")[0] {
			return kind, scope[1:]
		}
	}
	return -1, ""
}

// PeriodOf says the period of a scope for people: day 2026-03-02.
func PeriodOf(scope string) string {
	kind, period := ScopeParts(scope)
	if kind < 0 {
		return scope
	}
	return [periods]string{"day", "week", "month"}[kind] + " " + period
}

// MemberKey is the key of a member's budgets. A name in a key is escaped, so that a slash in it is none of the key's.
func MemberKey(name string) string { return memberKeys + escape(name) }

// GroupKey is the key of a group's budgets.
func GroupKey(name string) string { return groupKeys + escape(name) }

// Budgets are under these.
const (
	budgetKeys = "b/"
	memberKeys = "b/m/"
	groupKeys  = "b/g/"
)

// HolderOf gives whose budgets are under a key.
func HolderOf(key string) (group bool, name string, ok bool) {
	if name, ok = strings.CutPrefix(key, memberKeys); ok {
		return false, unescape(name), true
	}
	if name, ok = strings.CutPrefix(key, groupKeys); ok {
		return true, unescape(name), true
	}
	return false, "", false
}

var escaper = strings.NewReplacer("%", "%25", "/", "%2F", "\x00", "%00")

var unescaper = strings.NewReplacer("%25", "%", "%2F", "/", "%00", "\x00")

func unescape(name string) string { return unescaper.Replace(name) }

func escape(name string) string { return escaper.Replace(strings.ToValidUTF8(name, "\uFFFD")) }

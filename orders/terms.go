package orders

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// MemberTerms are what is said of a member that was added at run time; nil: nothing is said. Budgets are below zero, and the rest is
// empty, where there is to be no bound.
type MemberTerms struct {
	Daily, Weekly, Monthly *money.Micros
	Rate                   *member.Rate
	Models                 *[]string
	Group                  *string
	Disabled               *bool
}

// put changes what terms say, and tells in words what that is.
func (o *Orders) put(is *ledger.Enrolled, t MemberTerms) (note string, err error) {
	var notes []string
	for _, b := range []struct {
		word string
		to   **money.Micros
		said *money.Micros
	}{
		{"daily budget", &is.Budget.Daily, t.Daily}, {"weekly budget", &is.Budget.Weekly, t.Weekly}, {"monthly budget", &is.Budget.Monthly, t.Monthly},
	} {
		switch {
		case b.said == nil:
		case *b.said < 0:
			*b.to = nil
			notes = append(notes, "no "+b.word)
		default:
			*b.to = b.said
			notes = append(notes, b.word+" $"+b.said.String())
		}
	}
	if r := t.Rate; r != nil {
		is.Rate = ledger.KeptRate{Requests: r.Requests, Per: r.Per}
		notes = append(notes, "rate "+RateText(*r))
	}
	if t.Models != nil {
		for _, glob := range *t.Models {
			if err := member.CheckNewGlob(glob); err != nil {
				return "", err
			}
		}
		is.Models = *t.Models
		notes = append(notes, "models "+cmp.Or(strings.Join(is.Models, " "), "all"))
	}
	if t.Group != nil {
		if *t.Group != "" && !o.hasGroup(*t.Group) {
			return "", fmt.Errorf("there is no group %q in the Caddyfile", *t.Group)
		}
		is.Group = *t.Group
		notes = append(notes, "group "+cmp.Or(is.Group, "none"))
	}
	if t.Disabled != nil {
		if is.Disabled = *t.Disabled; is.Disabled {
			notes = append(notes, "disabled")
		} else {
			notes = append(notes, "enabled")
		}
	}
	return strings.Join(notes, ", "), checkBudget(is.Budget)
}

// checkBudget says which budget could never be used up, as the config's check does.
func checkBudget(b ledger.KeptBudget) error {
	less := func(long *money.Micros, short *money.Micros) bool {
		return long != nil && short != nil && *long < *short
	}
	switch {
	case less(b.Weekly, b.Daily):
		return errors.New("the weekly budget is less than the daily one")
	case less(b.Monthly, b.Daily):
		return errors.New("the monthly budget is less than the daily one")
	case less(b.Monthly, b.Weekly):
		return errors.New("the monthly budget is less than the weekly one")
	}
	return nil
}

// RateText is a rate as the Caddyfile has it, or none.
func RateText(r member.Rate) string {
	if r.Requests == 0 {
		return "none"
	}
	per := r.Per.String()
	for _, unit := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(per, unit) {
			per = per[:len(per)-2]
		}
	}
	return fmt.Sprintf("%d %s", r.Requests, per)
}

package command

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
)

// printMembers prints a row for each member: what is spent and left of its own budgets, and then what a group has left.
func printMembers(w io.Writer, rows []admin.Member) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "There are no members.")
		return
	}
	t := &table{words: []int{0, 1, 9, 10}}
	t.add("member", "group", "today", "left", "week", "left", "month", "left", "held", "last seen", "remark")
	t.add(rule...)
	for i := range rows {
		r := &rows[i]
		seen := "-"
		if r.LastSeen != nil {
			seen = r.LastSeen.UTC().Format(time.DateTime)
		}
		t.add(plain.Name(r.Name), plain.Name(r.Group), r.DayMicros.Fixed(), leftOf(r, "daily"), r.WeekMicros.Fixed(), leftOf(r, "weekly"),
			r.MonthMicros.Fixed(), leftOf(r, "monthly"), heldOf(r), seen, memberRemark(r))
	}
	t.print(w)
	printGroups(w, rows)
	if oldest := oldestWord(rows); !oldest.IsZero() {
		fmt.Fprintf(w, "\nWhat other gateways of the fleet have spent is as of %s at the oldest.\n", oldest.UTC().Format(time.RFC3339))
	}
}

// oldWord is from when on what was heard of other gateways is worth a word.
const oldWord = time.Minute

// oldestWord is when other gateways were last heard of, of the member of which that is longest ago; zero: that is not long.
func oldestWord(rows []admin.Member) (oldest time.Time) {
	for i := range rows {
		if at := rows[i].AsOf; at != nil && time.Since(*at) > oldWord && (oldest.IsZero() || at.Before(oldest)) {
			oldest = *at
		}
	}
	return oldest
}

// leftOf is what is left of a member's own budget.
func leftOf(r *admin.Member, period string) string {
	for _, b := range r.Budgets {
		if b.Group == "" && b.Period == period {
			return b.LeftMicros.Fixed()
		}
	}
	return "-"
}

// heldOf is what requests under way hold of a member's budgets.
func heldOf(r *admin.Member) string {
	for _, b := range r.Budgets {
		if b.Group == "" {
			return b.HeldMicros.Fixed()
		}
	}
	return "-"
}

func printGroups(w io.Writer, rows []admin.Member) {
	t := &table{words: []int{0, 1}}
	t.add("group", "period", "budget", "spent", "held", "left")
	t.add(rule...)
	said := map[string]bool{}
	for i := range rows {
		for _, b := range rows[i].Budgets {
			if key := b.Group + " " + b.Period; b.Group != "" && !said[key] {
				said[key] = true
				t.add(plain.Name(b.Group), b.Period, b.LimitMicros.Fixed(), b.SpentMicros.Fixed(), b.HeldMicros.Fixed(), b.LeftMicros.Fixed())
			}
		}
	}
	if len(said) > 0 {
		fmt.Fprintln(w)
		t.print(w)
	}
}

// raisedWords says by how much a budget is raised until when, the first to end first.
func raisedWords(raises []admin.Raise) string {
	until := make(map[string]money.Micros) // as it is written
	for _, r := range raises {
		until[r.Until.UTC().Format(time.DateTime)] += r.AmountMicros
	}
	var words []string
	for _, end := range slices.Sorted(maps.Keys(until)) {
		words = append(words, until[end].String()+" until "+end)
	}
	return strings.Join(words, ", by ")
}

// memberRemark says what else is worth knowing of a member.
func memberRemark(r *admin.Member) string {
	var remarks []string
	if r.Disabled {
		remarks = append(remarks, "disabled")
	}
	if r.Source == "ledger" {
		remarks = append(remarks, "added "+r.CreatedAt.UTC().Format(time.DateOnly))
	}
	if r.Overridden {
		remarks = append(remarks, "one that was added has this name too, and the Caddyfile's comes first")
	}
	if raised := raisedWords(r.Raises); raised != "" {
		remarks = append(remarks, "daily budget raised by "+raised)
	}
	if r.Rate != "" {
		remarks = append(remarks, "rate "+r.Rate)
	}
	if len(r.Models) > 0 {
		remarks = append(remarks, "models "+plain.Words(strings.Join(r.Models, " ")))
	}
	codes := slices.Sorted(maps.Keys(r.Refused))
	slices.SortStableFunc(codes, func(a, b string) int { return cmp.Compare(r.Refused[b], r.Refused[a]) })
	for i, code := range codes {
		codes[i] = fmt.Sprintf("%s %d", plain.Name(code), r.Refused[code])
	}
	if len(codes) > 0 {
		remarks = append(remarks, "refused: "+strings.Join(codes, ", "))
	}
	return strings.Join(remarks, "; ")
}

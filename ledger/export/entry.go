package export

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// subject says in a few words what an entry is about.
func subject(e *ledger.Entry) string {
	switch {
	case e.Served != nil:
		s := e.Member + ": " + e.Model
		if e.RequestedModel != e.Model {
			s += " (asked for as " + e.RequestedModel + ")"
		}
		if e.Status != ledger.StatusOK {
			s += ": " + string(e.Status)
		}
		return s
	case e.Attempt != nil:
		return e.Attempt.Member + ": " + e.Attempt.Model + ": " + e.Note
	case e.Correction != nil:
		return e.Correction.Member + ": " + e.Correction.Model + ": " + e.Note
	}
	if e.Order != nil {
		return string(e.Kind) + ": " + ordered(e)
	}
	words := slices.DeleteFunc([]string{string(e.Kind), string(e.State), e.Note}, func(w string) bool { return w == "" })
	return strings.Join(words, ": ")
}

// ordered says what an operator has ordered, about whom, and who that is.
func ordered(e *ledger.Entry) string {
	s := e.Order.Order + " " + cmp.Or(e.Order.Member, e.Seller)
	if e.Note != "" {
		s += ": " + e.Note
	}
	s += ", by " + e.Order.By
	if e.Order.From != "" {
		s += " from " + e.Order.From
	}
	return s
}

// mark is ! where somebody should look: the amount is not what both sides say, or money has gone for nothing.
func mark(e *ledger.Entry) string {
	switch {
	case e.Kind == ledger.KindDispute,
		e.Served != nil && (e.BilledSource == billing.SourceEstimate || slices.Contains(e.Flags, billing.FlagOverbilled)),
		e.Attempt != nil && (e.Attempt.BilledSource == billing.SourceEstimate || slices.Contains(e.Attempt.Flags, billing.FlagOverbilled)):
		return "!"
	}
	return "*"
}

// detail is something of an entry for those who want to find it again, or to check it.
type detail struct{ name, value string }

// detailNames are the names that details may have.
var detailNames = []string{
	"time", "kind", "purchase", "reference", "payment-reference", "request", "settlement", "source", "tokens", "flags", "group", "project",
	"corrects", "hash",
}

func details(e *ledger.Entry) []detail {
	all := make([]detail, 0, len(detailNames))
	all = append(all, []detail{
		{"time", e.Time.UTC().Format(time.RFC3339Nano)},
		{"kind", string(e.Kind)},
		{"purchase", e.PurchaseID},
		{"reference", e.Reference},
		{"payment-reference", e.PaymentReference},
	}...)
	if s := e.Served; s != nil {
		all = append(all,
			detail{"request", s.RequestID}, detail{"settlement", s.SettlementID}, detail{"source", string(s.BilledSource)},
			detail{"tokens", fmt.Sprintf("prompt %d (cached %d) completion %d", s.PromptTokens, s.CacheReadTokens, s.CompletionTokens)},
			detail{"flags", strings.Join(s.Flags, " ")}, detail{"group", s.Group}, detail{"project", s.Project})
	}
	if a := e.Attempt; a != nil {
		all = append(all,
			detail{"request", a.RequestID}, detail{"settlement", a.SettlementID}, detail{"source", string(a.BilledSource)},
			detail{"flags", strings.Join(a.Flags, " ")}, detail{"group", a.Group}, detail{"project", a.Project})
	}
	if c := e.Correction; c != nil {
		all = append(all, detail{"request", c.RequestID}, detail{"corrects", c.Entry}, detail{"group", c.Group}, detail{"project", c.Project})
	}
	all = append(all, detail{"hash", e.Hash})
	return slices.DeleteFunc(all, func(d detail) bool { return d.value == "" })
}

// legible writes what can't be seen, or would turn the line around, as \u000a and so on.
func legible(s string) string {
	if seen(s) || !strings.ContainsFunc(s, hidden) {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if hidden(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// seen tells whether all of a text is ASCII that is seen.
func seen(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func hidden(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }

// accountName is the name of an account in another program: what the program calls its kind, or other where this version does
// not know it, and below that the names, as the program allows them.
func accountName(account string, roots map[string]string, other string, name func(string) string) string {
	kind, of := ledger.SplitAccount(account)
	full, ok := roots[kind]
	if !ok {
		full = other + ":" + name(kind)
	}
	for _, n := range of {
		full += ":" + name(n)
	}
	return full
}

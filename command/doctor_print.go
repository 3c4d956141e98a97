package command

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/doctor"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
	"github.com/tokenbuddy/caddy-tokenbuddy/prewarm"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// checkup is all that the doctor prints: what it has found, and what there is.
type checkup struct {
	*doctor.Diagnosis
	Ledger   *admin.LedgerStatus   `json:"ledger,omitempty"`
	Recovery *admin.RecoveryStatus `json:"recovery,omitempty"` // what has begun and not ended
	Prewarm  *warmth               `json:"prewarm,omitempty"`
	Credit   *purchase.Credit      `json:"credit,omitempty"`
}

// warmth is what is kept warm, in short.
type warmth struct {
	FocusSet    []string              `json:"focusSet"`
	States      map[prewarm.State]int `json:"states"` // entries by their state
	Running     bool                  `json:"running"`
	Sweeps      int64                 `json:"sweeps"`
	LastSweepAt *time.Time            `json:"lastSweepAt"`
	NextSweepAt *time.Time            `json:"nextSweepAt"` // absent: none is to come
}

// show adds what the status of a gateway says that there is.
func (c *checkup) show(s *admin.Status) {
	c.Ledger, c.Recovery, c.Credit = &s.Ledger, &s.Recovery, &s.Credit
	c.Prewarm = &warmth{
		FocusSet: s.FocusSet, States: map[prewarm.State]int{}, Running: s.Scheduler.Running, Sweeps: s.Scheduler.Sweeps,
		LastSweepAt: s.Scheduler.LastSweepAt, NextSweepAt: s.Scheduler.NextSweepAt,
	}
	for _, e := range s.Prewarm.Entries {
		c.Prewarm.States[e.State]++
	}
}

func (c *checkup) print(w io.Writer, now time.Time) {
	for _, f := range c.Findings {
		word := "note  "
		if f.Wrong {
			word = "WRONG "
		}
		fmt.Fprintf(w, "%s %s\n       %s\n", word, f.What, f.Todo)
	}
	line := func(name, text string) { fmt.Fprintf(w, "%-9s %s\n", name, text) }
	if len(c.Findings) > 0 && c.Recovery != nil {
		fmt.Fprintln(w)
	}
	if c.Ledger != nil {
		line("ledger", c.ledgerLine(now))
	}
	if c.Recovery != nil {
		line("recovery", c.recoveryLine())
		for _, p := range c.Recovery.OpenPurchases {
			line("", fmt.Sprintf("purchase %s at %s: %s, %s dollars, begun %s", p.PurchaseID, plain.Name(p.SellerID), p.State, p.AmountMicros, ago(p.CreatedAt, now)))
		}
	}
	if c.Prewarm != nil {
		line("prewarm", c.Prewarm.line(now))
	}
	if c.Credit != nil {
		line("credit", creditLine(c.Credit))
	}
	if c.OK {
		fmt.Fprintln(w, "Nothing is wrong.")
	}
}

func (c *checkup) ledgerLine(now time.Time) string {
	l := c.Ledger
	text := fmt.Sprintf("%s: %s entries", l.Dir, humanize.Comma(int64(l.Entries)))
	if l.SizeBytes > 0 {
		text += ", " + humanize.IBytes(l.FreeBytes) + " free on its disk"
	}
	if l.KeyFile != "" {
		text += fmt.Sprintf("; its key %s is of %s, %s", l.KeyFile, l.KeyMadeAt.UTC().Format(time.DateOnly), ago(l.KeyMadeAt, now))
	}
	return text
}

func (c *checkup) recoveryLine() string {
	r := c.Recovery
	return fmt.Sprintf("requests under way: %s; purchases that have not ended: %d, with %s dollars that may have left",
		humanize.Comma(int64(r.Holds)), len(r.OpenPurchases), r.PendingMicros)
}

func (p *warmth) line(now time.Time) string {
	focus := "no model"
	if len(p.FocusSet) > 0 {
		var names []string
		for _, m := range p.FocusSet {
			names = append(names, plain.Name(m))
		}
		focus = strings.Join(names, ", ")
	}
	var states []string
	for _, s := range slices.Sorted(maps.Keys(p.States)) {
		states = append(states, fmt.Sprintf("%d %s", p.States[s], s))
	}
	text := "focus: " + focus
	if len(states) > 0 {
		text += "; " + strings.Join(states, ", ")
	}
	switch {
	case p.Running:
		text += "; a sweep is going on"
	case p.NextSweepAt != nil:
		text += "; next sweep in " + max(p.NextSweepAt.Sub(now), 0).Round(time.Second).String()
	default:
		text += "; no sweep is to come"
	}
	if p.LastSweepAt != nil {
		text += ", the last " + ago(*p.LastSweepAt, now)
	}
	return text
}

func creditLine(c *purchase.Credit) string {
	of := func(limit *money.Micros) string {
		if limit == nil {
			return "no limit"
		}
		return "of " + limit.String()
	}
	return fmt.Sprintf("left %s dollars; since the start bought %s in %d purchases, wasted %s; spent today %s (%s), this session %s (%s)",
		c.LeftMicros, c.PurchasedMicros, c.Purchases, c.WastedMicros, c.DayMicros, of(c.DailyLimit), c.SessionMicros, of(c.SessionLimit))
}

// ago is how long something has been.
func ago(t, now time.Time) string {
	return humanize.RelTime(t, now, "ago", "from now")
}

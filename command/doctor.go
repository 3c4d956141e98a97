package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// finding is something that the doctor has found.
type finding struct {
	Wrong bool   `json:"wrong"` // somebody has to do something; else it is only good to know
	What  string `json:"what"`
	Todo  string `json:"todo"`
}

// diagnosis is what the doctor says of a gateway.
type diagnosis struct {
	OK       bool      `json:"ok"`
	Findings []finding `json:"findings"`
}

var errUnwell = errors.New("something is wrong")

func doctorCommand() *cobra.Command {
	var from gatewayFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Says what is wrong with the gateway, and what to do about it",
		Long: `
Looks at the gateway that runs, and says what is wrong with its ledger, registry, sellers, purchases and limits, and what to do
about it. Where something is, the exit status is 1. It does not read the ledger: see caddy tokenbuddy verify.`,
		Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			d := diagnose(ctx, &from)
			var err error
			if asJSON {
				err = printJSON(cmd, d)
			} else {
				d.print(cmd.OutOrStdout())
			}
			if err == nil && !d.OK {
				return errUnwell
			}
			return err
		}),
	}
	from.addTo(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	return cmd
}

func (d *diagnosis) print(w io.Writer) {
	for _, f := range d.Findings {
		word := "note  "
		if f.Wrong {
			word = "WRONG "
		}
		fmt.Fprintf(w, "%s %s\n       %s\n", word, f.What, f.Todo)
	}
	if d.OK {
		fmt.Fprintln(w, "Nothing is wrong.")
	}
}

// diagnose asks the gateway how it is.
func diagnose(ctx context.Context, from *gatewayFlags) *diagnosis {
	d := &diagnosis{OK: true, Findings: []finding{}}
	g, err := from.gateway()
	var status admin.Status
	if err == nil {
		_, err = g.get(ctx, http.MethodGet, "status", nil, &status)
	}
	if err != nil {
		d.wrong(err.Error(), "Nothing else can be said before the gateway answers.")
		return d
	}
	d.ledger(&status.Ledger)
	registries := status.Registries
	if len(registries) == 0 && status.Registry != nil {
		registries = []routing.RegistryStatus{*status.Registry}
	}
	for _, r := range registries {
		d.registry(&r)
	}
	d.circuits(status.Pool.Entries, time.Now())
	for _, s := range status.Credit.Sellers {
		d.seller(&s)
	}
	d.limit("daily_limit", status.Credit.DayMicros, status.Credit.DailyLimit, "at midnight UTC")
	d.limit("session_limit", status.Credit.SessionMicros, status.Credit.SessionLimit, "when the process starts again")
	return d
}

func (d *diagnosis) wrong(what, todo string) {
	d.OK = false
	d.Findings = append(d.Findings, finding{true, what, todo})
}

func (d *diagnosis) note(what, todo string) {
	d.Findings = append(d.Findings, finding{false, what, todo})
}

func (d *diagnosis) ledger(s *admin.LedgerStatus) {
	if !s.OK {
		d.wrong(fmt.Sprintf("The ledger %s takes no entries: %s", s.Dir, s.Error),
			"No request is served before that is mended. See to its disk; after a failed commit, restart the gateway.")
	}
}

func (d *diagnosis) registry(r *routing.RegistryStatus) {
	age := "never since the start"
	if r.AgeSeconds != nil {
		age = (time.Duration(*r.AgeSeconds) * time.Second).String() + " ago"
	}
	switch {
	case r.Sellers == 0:
		d.wrong(fmt.Sprintf("The registry %s has given no sellers, and was read %s. %s", r.URL, age, r.LastError),
			"Check the address in the Caddyfile, and that it can be reached from here.")
	case r.Stale:
		d.wrong(fmt.Sprintf("The registry %s can't be read, the last time it could was %s: %s", r.URL, age, r.LastError),
			"The last good document is used meanwhile. Check that the registry can be reached from here.")
	case r.LeftOut > 0:
		d.note(fmt.Sprintf("The registry %s has %d entries that can't be used.", r.URL, r.LeftOut),
			"The log has a line registry.seller.left_out for each, with the reason.")
	}
}

func (d *diagnosis) circuits(entries []routing.PoolEntry, now time.Time) {
	open := 0
	for _, e := range entries {
		if e.Circuit == routing.CircuitClosed {
			continue
		}
		open++
		due := "with one of the next requests"
		if e.DueAt != nil && e.DueAt.After(now) {
			due = "in " + e.DueAt.Sub(now).Round(time.Second).String()
		}
		d.note(fmt.Sprintf("Seller %s (%s) gets no requests: it failed %d times in a row.", shown(e.SellerID), shown(e.URL), e.ConsecutiveFailures),
			"It is tried again by itself, "+due+".")
	}
	if open > 0 && open == len(entries) {
		d.wrong("No seller that was dealt with is well.", "Check this machine's own network first, then the log for what the sellers answer.")
	}
}

func (d *diagnosis) seller(s *purchase.SellerCredit) {
	id := shown(s.SellerID)
	if s.NoMoreMoney {
		d.wrong(fmt.Sprintf("Seller %s gets no more money: its last two tokens served nothing.", id),
			"Ask the seller. To buy there again: caddy tokenbuddy sellers forgive "+id)
	}
	if s.UnconfirmedMicros > 0 {
		d.note(fmt.Sprintf("Of what is left at seller %s, %s dollars come from a backup and may have been spent since.", id, s.UnconfirmedMicros),
			"It is known as soon as the seller has served a request with them.")
	}
	if s.Open == nil || s.Open.Doubt == "" {
		return
	}
	todo := "It goes on by itself, with the same key, and is not paid twice; nothing else is bought there meanwhile."
	if s.Open.Hint != "" {
		todo = s.Open.Hint
	}
	if s.Open.Link != "" {
		todo += " " + s.Open.Link
	}
	d.wrong(fmt.Sprintf("Purchase %s of %s dollars at seller %s is in doubt: %s", s.Open.PurchaseID, s.Open.AmountMicros, id, s.Open.Doubt), todo)
}

// limit warns when less than a tenth of a spending limit is left.
func (d *diagnosis) limit(name string, spent money.Micros, limit *money.Micros, again string) {
	if limit == nil || *limit-spent >= *limit/10 {
		return
	}
	d.wrong(fmt.Sprintf("%s dollars of the %s of %s are spent.", spent, name, *limit),
		fmt.Sprintf("Past it nothing is bought. It begins anew %s; raise it in the Caddyfile if that is too late.", again))
}

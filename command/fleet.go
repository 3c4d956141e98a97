package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
)

func fleetCommand() *cobra.Command {
	cmd := fleetStatusCommand("fleet")
	cmd.AddCommand(fleetStatusCommand("status"), forgetCommand(), sessionCommand())
	return cmd
}

// sessionCommand takes the flags of its only word, so that who forgets that hears of it.
func sessionCommand() *cobra.Command {
	var from gatewayFlags
	cmd := &cobra.Command{
		Use:   "session",
		Short: "The session in which session_limit of purchases counts",
		RunE: run(func(context.Context, *cobra.Command, []string) error {
			return errors.New("what is to be done with the session? caddy tokenbuddy fleet session new begins it anew, caddy tokenbuddy fleet shows it")
		}),
	}
	from.addTo(cmd)
	cmd.AddCommand(sessionNewCommand())
	return cmd
}

// errStoreAway ends a command that can't show a fleet.
var errStoreAway = errors.New("the fleet's store is away from the gateway that was asked, so that nothing is known of the others, nor of budgets: " +
	"see to the database and the way to it, as caddy tokenbuddy doctor says, or ask another gateway with --address. What is set aside serves meanwhile")

func fleetStatusCommand(use string) *cobra.Command {
	return asking(&cobra.Command{
		Use:   use,
		Short: "Shows the gateways of the fleet, and how its budgets stand",
		Long: `
Shows the gateways that are one with this one: when each was last seen, what is set aside for it, and how far its books are shipped;
how the budgets of the fleet stand, in the periods that are not over: what is spent, what requests hold, what gateways keep beside that, and what
is left for all, as each gateway has said when it last asked; and the tokens that gateways share. Where the fleet's store is away, that is all it
says, and the exit status is 1.`,
		Args: noWords,
	}, func(ctx context.Context, q *question) error {
		f := new(admin.Fleet)
		if _, err := q.get(ctx, http.MethodGet, "fleet", nil, f); err != nil {
			return err
		}
		away := f.Here.StoreError != ""
		err := q.show(f, func(w io.Writer) {
			if !away {
				printFleet(w, f)
			}
		})
		if err == nil && away {
			return fmt.Errorf("%w (%s)", errStoreAway, plain.Words(f.Here.StoreError))
		}
		return err
	})
}

func forgetCommand() *cobra.Command {
	var byBooks bool
	cmd := asking(&cobra.Command{
		Use:   "forget <gateway>",
		Short: "Ends a gateway whose disk is gone: what was set aside for it counts as spent",
		Long: `
Ends the part of a gateway that will not come back, by its name or its identity. What was set aside for it counts as spent; with
--by-books what its shipped entries say, which may be too little by what it has not shipped. It is fenced for good: if it comes
back after all it has to begin with an empty ledger. One that has spoken a moment ago is not forgotten.`,
		Args: words(1, 1),
	}, func(ctx context.Context, q *question) error {
		forgot := new(fleet.Forgot)
		query := url.Values{"forget": {q.args[0]}, "by-books": {strconv.FormatBool(byBooks)}, "by": {operator()}}
		if _, err := q.get(ctx, http.MethodPost, "fleet", query, forgot); err != nil {
			return err
		}
		return q.show(forgot, func(w io.Writer) {
			fmt.Fprintf(w, "It had parts of %d budgets: $%s of them count as spent though nobody has said so, and $%s are free again.\n",
				forgot.Budgets, forgot.Counted, forgot.Freed)
		})
	})
	cmd.Flags().BoolVar(&byBooks, "by-books", false, "Count what its shipped entries say, which may be too little")
	return cmd
}

func sessionNewCommand() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "new",
		Short: "Has session_limit begin anew for all gateways",
		Args:  noWords,
	}, func(ctx context.Context, q *question) error {
		session := new(fleet.Session)
		if _, err := q.get(ctx, http.MethodPost, "fleet", url.Values{"session": {"new"}, "by": {operator()}}, session); err != nil {
			return err
		}
		return q.show(session, func(w io.Writer) {
			fmt.Fprintf(w, "Session %d has begun at %s.\n", session.N, session.Since.UTC().Format(time.RFC3339))
		})
	})
}

func printFleet(w io.Writer, f *admin.Fleet) {
	t := table{words: []int{0, 1, 2, 3, 4}}
	t.add("gateway", "identity", "version", "seen", "state", "kept", "shipped")
	t.add(rule...)
	for i := range f.Gateways {
		g := &f.Gateways[i]
		state := f.StateOf(g)
		if g.Self {
			state += ", asked"
		}
		shipped := "-"
		if g.Head > 0 {
			shipped = strconv.FormatUint(g.Head, 10)
		}
		t.add(plain.Name(g.Name), g.Gateway, plain.Name(g.Version), g.Seen.UTC().Format(time.RFC3339), state, usd(g.StrandedMicros), shipped)
	}
	t.print(w)
	if len(f.Budgets) > 0 {
		fmt.Fprintln(w)
		printFleetBudgets(w, f.Budgets)
	}
	if len(f.Tokens) > 0 {
		fmt.Fprintln(w)
		printFleetTokens(w, f)
	}
	fmt.Fprintln(w)
	if f.Here.OtherKey {
		fmt.Fprintln(w, "The key of the gateway that was asked is another one than the fleet's tokens are sealed with: it shares none, and buys its own.")
	}
	if f.Session.N > 0 {
		fmt.Fprintf(w, "Session %d of purchases, since %s.\n", f.Session.N, f.Session.Since.UTC().Format(time.RFC3339))
	} else {
		fmt.Fprintln(w, "The session of purchases is that with which the fleet began.")
	}
	if others := f.Differing(); len(others) > 0 {
		fmt.Fprintf(w, "The limits in the config of the gateway that was asked are not those of %s: each goes by its own.\n", strings.Join(others, ", "))
	}
	if !f.Here.StoreUp {
		fmt.Fprintln(w, "The store is away from the gateway that was asked.")
	}
	if behind := int64(f.Here.Entries) - int64(f.Here.Shipped); f.Here.Shipped > 0 && behind > 0 {
		fmt.Fprintf(w, "The gateway that was asked has %d entries to ship.\n", behind)
	}
}

// printFleetTokens prints the shared tokens, and which gateways have something of them set aside.
func printFleetTokens(w io.Writer, f *admin.Fleet) {
	t := table{words: []int{0, 1, 6, 7}}
	t.add("token at", "identity", "credit", "spent", "set aside", "left", "expires", "by")
	t.add(rule...)
	for i := range f.Tokens {
		s, by := &f.Tokens[i], f.HoldersOf(&f.Tokens[i])
		for n := range by {
			by[n] = plain.Name(by[n])
		}
		t.add(plain.Name(s.Seller), s.Token, usd(s.Credit), usd(s.Spent), usd(s.Aside), usd(s.Free), s.Expires.Format(time.RFC3339), strings.Join(by, ", "))
	}
	t.print(w)
}

func printFleetBudgets(w io.Writer, all []fleet.BudgetStatus) {
	t := table{words: []int{0, 1, 2}}
	t.add("budget of", "period", "", "limit", "spent", "held", "kept", "left")
	t.add(rule...)
	for _, b := range all {
		name, kind := plain.Name(b.Name), "member"
		if b.Group {
			kind = "group"
		}
		t.add(name, fleet.PeriodOf(b.Scope), kind, usd(b.Limit), usd(b.Spent), usd(b.Held), usd(b.Free), usd(b.Remain))
	}
	t.print(w)
}

func usd(m money.Micros) string { return "$" + m.String() }

package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	fleetbooks "github.com/tokenbuddy/caddy-tokenbuddy/fleet/books"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
)

// errNotWhole ends a command whose answer is that the ledger does not hold, which it has printed.
var errNotWhole = errors.New("the ledger does not hold")

func verifyCommand() *cobra.Command {
	var from source
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Checks that the ledger holds",
		Long: `
Reads the whole ledger and checks that the chain of entries is whole, that each sums to zero, and that balances, day sums, tokens,
holds, purchases and booked settlements are what the entries say. Where it does not hold, the exit status is 1, and what is wrong
first is printed. With --fleet it reads the entries of all gateways too, as far as they were shipped: whether each gateway's are gapless
and as they were, whether each settlement counts once, whether what they cost is what was reported of each budget, and whether shared tokens
are in the store what they are in the books.`,
		Args: noWords,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			b, err := from.open()
			if asJSON && (errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrNotAnchored)) { // not even opened, which is a report too
				if err := printJSON(cmd, ledger.Report{Problem: err.Error()}); err != nil {
					return err
				}
				return errNotWhole
			}
			if err != nil {
				return err
			}
			defer b.Close()
			bar := newBar(cmd, "entries")
			r, err := b.VerifyWithProgress(ctx, bar.at)
			bar.end()
			if err != nil {
				return err
			}
			if f, ok := b.(*fleetBooks); ok && r.OK {
				return verifyFleet(ctx, cmd, f, r, asJSON)
			}
			sayOfWhom(cmd, b)
			if asJSON {
				err = printJSON(cmd, r)
			} else {
				printReport(cmd.OutOrStdout(), &r, from.keyless)
			}
			if err == nil && !r.OK {
				return errNotWhole
			}
			return err
		}),
	}
	from.addFleetTo(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print the report as JSON")
	return cmd
}

// printReport says whether a ledger holds, and what to do where it does not; keyless: what is encrypted in it was not looked into.
func printReport(w io.Writer, r *ledger.Report, keyless bool) {
	if r.OK {
		fmt.Fprintf(w, "The ledger holds.\nentries  %s\nhead     %s\n", humanize.Comma(int64(r.Entries)), r.Head)
		if keyless {
			fmt.Fprint(w, "The key is not here: tokens and payments, which are encrypted, were not looked into.\n")
		}
		return
	}
	fmt.Fprintf(w, "The ledger does NOT hold.\nproblem   %s\n", r.Problem)
	if r.Sequence > 0 {
		fmt.Fprintf(w, "entry     %d, %s\n", r.Sequence, plain.Name(r.Entry))
	}
	if r.Archive != "" {
		fmt.Fprintf(w, "to do     Put %s back from a copy, where it was or beside the ledger's directory. What comes after it was not checked.\n", r.Archive)
		return
	}
	fmt.Fprint(w, "to do     Keep a copy of the whole directory as it is. Entries before the one that is named hold. "+
		"Compare with a backup, and restore it if need be: see the section Backup of docs/operations.md.\n")
}

// verifyFleet is what follows once the gateway's own ledger holds.
func verifyFleet(ctx context.Context, cmd *cobra.Command, b *fleetBooks, own ledger.Report, asJSON bool) error {
	bar := newBar(cmd, "entries")
	r, err := b.verify(ctx, bar.at)
	bar.end()
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(cmd, map[string]any{"ledger": own, "fleet": r})
	} else {
		printFleetReport(cmd.OutOrStdout(), &r)
	}
	if err == nil && !r.OK {
		return errNotWhole
	}
	return err
}

func printFleetReport(w io.Writer, r *fleetbooks.Report) {
	if r.OK {
		fmt.Fprintf(w, "The books of all %d gateways hold.\nentries  %s\n\n", len(r.Gateways), humanize.Comma(int64(r.Entries)))
	} else {
		fmt.Fprint(w, "The books of the fleet do NOT hold.\n\n")
	}
	t := &table{words: []int{0, 2, 3}}
	t.add("gateway", "entries", "head", "what")
	t.add(rule...)
	for i := range r.Gateways {
		g := &r.Gateways[i]
		name, what := g.Name, "holds"
		if name == "" {
			name = g.Gateway
		}
		switch {
		case g.Problem != "" && g.Sequence > 0:
			what = fmt.Sprintf("entry %d, %s: %s", g.Sequence, plain.Name(g.Entry), g.Problem)
		case g.Problem != "":
			what = g.Problem
		case g.Waiting > 0:
			what = fmt.Sprintf("holds; %s more are not shipped yet", humanize.Comma(int64(g.Waiting)))
		}
		t.add(plain.Name(name), humanize.Comma(int64(g.Entries)), fmt.Sprintf("%.12s", g.Head), plain.Words(what))
	}
	t.print(w)
	for _, p := range r.Problems {
		fmt.Fprintf(w, "problem  %s\n", plain.Words(p))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note     %s\n", plain.Words(n))
	}
}

package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

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
first is printed.`,
		Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			b, err := from.open()
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
			out := cmd.OutOrStdout()
			switch {
			case asJSON:
				err = printJSON(cmd, r)
			case r.OK:
				fmt.Fprintf(out, "The ledger holds.\nentries  %s\nhead     %s\n", humanize.Comma(int64(r.Entries)), r.Head)
				if from.keyless {
					fmt.Fprint(out, "The key is not here: tokens and payments, which are encrypted, were not looked into.\n")
				}
			default:
				fmt.Fprintf(out, "The ledger does NOT hold.\nproblem   %s\n", r.Problem)
				if r.Sequence > 0 {
					fmt.Fprintf(out, "entry     %d, %s\n", r.Sequence, plain.Name(r.Entry))
				}
				if r.Archive != "" {
					fmt.Fprintf(out, "to do     Put %s back from a copy, where it was or beside the ledger's directory. What comes after it was not checked.\n", r.Archive)
					break
				}
				fmt.Fprint(out, "to do     Keep a copy of the whole directory as it is. Entries before the one that is named hold. "+
					"Compare with a backup, and restore it if need be: see the section Backup of docs/operations.md.\n")
			}
			if err == nil && !r.OK {
				return errNotWhole
			}
			return err
		}),
	}
	from.addTo(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print the report as JSON")
	return cmd
}

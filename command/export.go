package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/export"
)

func exportCommand() *cobra.Command {
	var (
		from   source
		during period
		q      ledger.Query
		format string
		path   string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Writes the ledger's entries for other programs",
		Long: `
Writes the ledger's entries, oldest first, as csv (for spreadsheets), jsonl (as they are stored, with their hashes), beancount, or
hledger. Without --from, --to, --member, --model and --seller the last two end with the balances of all accounts, so that the
program which reads them checks our sums.`,
		Example: `  caddy tokenbuddy export --format csv -o january.csv --from 2026-01-01 --to 2026-02-01
  caddy tokenbuddy export --format beancount -o team.beancount && bean-check team.beancount`,
		Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) (err error) {
			if asJSON {
				if cmd.Flags().Changed("format") && format != "jsonl" {
					return errors.New("--json is --format jsonl: leave one of them out")
				}
				format = "jsonl"
			}
			if !slices.Contains(export.Formats, format) {
				return fmt.Errorf("--format is one of %s, not %q", strings.Join(export.Formats, ", "), format)
			}
			b, err := from.open()
			if err != nil {
				return err
			}
			defer b.Close()
			p, err := during.of(ctx, b)
			if err != nil {
				return err
			}
			q.From, q.To = p.From, p.To
			bar := newBar(cmd, "entries")
			var n uint64
			err = write(cmd, path, func(w io.Writer) error {
				n, err = exportTo(ctx, b, format, q, w, bar.at)
				return err
			})
			bar.end()
			if err == nil && path != "-" {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s entries in %s\n", humanize.Comma(int64(n)), path)
			}
			return err
		}),
	}
	from.addTo(cmd)
	during.addTo(cmd)
	cmd.Flags().StringVar(&format, "format", "csv", "csv, jsonl, beancount or hledger")
	cmd.Flags().StringVar(&q.Member, "member", "", "Only entries of this member")
	cmd.Flags().StringVar(&q.Model, "model", "", "Only entries of this model, as it was served")
	cmd.Flags().StringVar(&q.Seller, "seller", "", "Only entries of this seller")
	cmd.Flags().StringVarP(&path, "output", "o", "-", "File to write, which appears when it is whole; - is standard output")
	cmd.Flags().BoolVar(&asJSON, "json", false, "The same as --format jsonl")
	return cmd
}

// errWhole ends the entries when the last one is there that the balances are of.
var errWhole = errors.New("that is all")

// exportTo writes the entries that q chooses. Where it chooses all, it writes those that there are now, though the gateway goes
// on, and then the balances that they make.
func exportTo(ctx context.Context, b books, format string, q ledger.Query, w io.Writer, progress ledger.Progress) (n uint64, err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	writer, err := export.New(format, out)
	if err != nil {
		return 0, err
	}
	var balances ledger.Balances
	all := q == ledger.Query{}
	if all {
		if balances, err = b.Balances(ctx); err != nil {
			return 0, err
		}
	}
	if !all || balances.Entries > 0 {
		err = b.Entries(ctx, q, func(e *ledger.Entry) error {
			if err := writer.Entry(e); err != nil {
				return err
			}
			n++
			progress(n, balances.Entries)
			if all && e.Hash == balances.Head {
				return errWhole
			}
			return nil
		})
	}
	switch {
	case errors.Is(err, errWhole):
	case err != nil:
		return n, err
	case all && n != balances.Entries:
		return n, fmt.Errorf("the entry %s that the balances are of does not come: run caddy tokenbuddy verify", balances.Head)
	}
	if err := writer.End(balances.Accounts); err != nil {
		return n, err
	}
	return n, out.Flush()
}

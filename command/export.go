package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/export"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

func exportCommand() *cobra.Command {
	var (
		from   source
		during period
		q      ledger.Query
		format string
		path   string
		asJSON bool
		opens  string
		o      export.Options
	)
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Writes the ledger's entries for other programs",
		Long: `
Writes the ledger's entries, oldest first, as csv (for spreadsheets; with --bom for Excel), jsonl (as they are stored, with their
hashes), beancount, or hledger, which Ledger takes too. Without --from, --to, --member, --model and --seller the last two end with the
balances of all accounts but the wallets, so that the program which reads them checks our sums. Files of periods that follow each other
go together with --opens new.`,
		Example: `  caddy tokenbuddy export --format csv -o january.csv --from 2026-01-01 --to 2026-02-01
  caddy tokenbuddy export --format beancount --opens new -o june.beancount --from 2026-06-01 --to 2026-07-01
  caddy tokenbuddy export --format beancount -o team.beancount && bean-check team.beancount`,
		Args: noWords,
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
			if err := optionsFit(cmd, format, opens); err != nil {
				return err
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
			o.Opens, o.Zone = export.Opens(opens), p.Zone
			bar := newBar(cmd, "entries")
			var n uint64
			err = write(cmd, path, func(w io.Writer) error {
				n, err = exportTo(ctx, b, format, q, o, w, bar.at)
				return err
			})
			bar.end()
			if err == nil {
				sayOfWhom(cmd, b)
			}
			if err == nil && path != "-" {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s entries in %s\n", humanize.Comma(int64(n)), path)
			}
			return err
		}),
	}
	from.addFleetTo(cmd)
	during.addTo(cmd)
	cmd.Flags().StringVar(&format, "format", "csv", "csv, jsonl, beancount or hledger")
	cmd.Flags().StringVar(&q.Member, "member", "", "Only entries of this member")
	cmd.Flags().StringVar(&q.Model, "model", "", "Only entries of this model, as it was served")
	cmd.Flags().StringVar(&q.Seller, "seller", "", "Only entries of this seller")
	cmd.Flags().StringVarP(&path, "output", "o", "-", "File to write, which appears when it is whole; - is standard output")
	cmd.Flags().StringVar(&opens, "opens", "all", "beancount, hledger: which accounts to declare: all, new (those that no entry before the period has used, so that "+
		"files of periods go together), or none")
	cmd.Flags().BoolVar(&o.BOM, "bom", false, "csv: begin with the mark by which Excel knows UTF-8")
	cmd.Flags().BoolVar(&asJSON, "json", false, "The same as --format jsonl")
	return cmd
}

// optionsFit refuses options that the format has no use for.
func optionsFit(cmd *cobra.Command, format, opens string) error {
	switch journal := format == "beancount" || format == "hledger"; {
	case cmd.Flags().Changed("bom") && format != "csv":
		return errors.New("--bom is for --format csv")
	case cmd.Flags().Changed("opens") && !journal:
		return errors.New("--opens is for --format beancount and hledger")
	case !slices.Contains([]string{"all", "new", "none"}, opens):
		return fmt.Errorf("--opens is all, new or none, not %q", opens)
	}
	return nil
}

// errWhole ends the entries when the last one is there that the balances are of.
var errWhole = errors.New("that is all")

// exportTo writes the entries that q chooses. Where it chooses all, it writes those that there are now, though the gateway goes
// on, and then the balances that they make.
func exportTo(ctx context.Context, b books, format string, q ledger.Query, o export.Options, w io.Writer, progress ledger.Progress) (n uint64, err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	var balances ledger.Balances
	_, ofFleet := b.(*fleetBooks) // entries of all gateways make balances only once all are there
	whole := q == ledger.Query{}
	all := whole && !ofFleet
	sums := map[string]money.Micros{}
	if all {
		if balances, err = b.Balances(ctx); err != nil {
			return 0, err
		}
	} else if o.Opens == export.OpensNew && !q.From.IsZero() {
		if o.Known, err = known(ctx, b, q); err != nil {
			return 0, err
		}
	}
	counted := func(hash string) error {
		n++
		progress(n, balances.Entries)
		if all && hash == balances.Head {
			return errWhole
		}
		return nil
	}
	end := func() error { return nil }
	switch {
	case all && balances.Entries == 0 && format == "jsonl":
	case format == "jsonl":
		err = b.Lines(ctx, q, func(raw []byte) error {
			_, _ = out.Write(raw) // it keeps its first error
			if err := out.WriteByte('\n'); err != nil {
				return err
			}
			return counted(ledger.HashOf(raw))
		})
	default:
		writer, wrong := export.New(format, out, o)
		if wrong != nil {
			return 0, wrong
		}
		end = func() error {
			for _, account := range slices.Sorted(maps.Keys(sums)) {
				balances.Accounts = append(balances.Accounts, ledger.Account{Account: account, BalanceMicros: sums[account]})
			}
			return writer.End(balances.Accounts)
		}
		if all && balances.Entries == 0 {
			break
		}
		err = b.Entries(ctx, q, func(e *ledger.Entry) error {
			if err := writer.Entry(e); err != nil {
				return err
			}
			for i := range e.Postings {
				if whole && ofFleet {
					sums[e.Postings[i].Account] += e.Postings[i].AmountMicros
				}
			}
			return counted(e.Hash)
		})
	}
	switch {
	case errors.Is(err, errWhole):
	case err != nil:
		return n, err
	case all && n != balances.Entries:
		return n, fmt.Errorf("the entry %s that the balances are of does not come: run caddy tokenbuddy verify", balances.Head)
	}
	if err := end(); err != nil {
		return n, err
	}
	return n, out.Flush()
}

// known gives the accounts that entries of before the period have used, of those that q chooses beside that.
func known(ctx context.Context, b books, q ledger.Query) (map[string]bool, error) {
	accounts := make(map[string]bool)
	q.From, q.To = time.Time{}, q.From
	err := b.Entries(ctx, q, func(e *ledger.Entry) error {
		for _, p := range e.Postings {
			accounts[p.Account] = true
		}
		return nil
	})
	return accounts, err
}

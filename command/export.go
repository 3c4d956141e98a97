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
	f := new(exportFlags)
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
		RunE: run(f.run),
	}
	f.from.addFleetTo(cmd)
	f.during.addTo(cmd)
	cmd.Flags().StringVar(&f.format, "format", "csv", "csv, jsonl, beancount or hledger")
	cmd.Flags().StringVar(&f.q.Member, "member", "", "Only entries of this member")
	cmd.Flags().StringVar(&f.q.Model, "model", "", "Only entries of this model, as it was served")
	cmd.Flags().StringVar(&f.q.Seller, "seller", "", "Only entries of this seller")
	cmd.Flags().StringVarP(&f.path, "output", "o", "-", "File to write, which appears when it is whole; - is standard output")
	cmd.Flags().StringVar(&f.opens, "opens", "all", "beancount, hledger: which accounts to declare: all, new (those that no entry before the period has used, so that "+
		"files of periods go together), or none")
	cmd.Flags().BoolVar(&f.o.BOM, "bom", false, "csv: begin with the mark by which Excel knows UTF-8")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "The same as --format jsonl")
	return cmd
}

// exportFlags are what the command export was told.
type exportFlags struct {
	from   source
	during period
	q      ledger.Query // but for the period
	format string
	path   string
	opens  string
	o      export.Options // but for what opens and the period's zone say
	asJSON bool
}

func (f *exportFlags) run(ctx context.Context, cmd *cobra.Command, _ []string) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	b, err := f.from.open()
	if err != nil {
		return err
	}
	defer b.Close()
	p, err := f.during.of(ctx, b)
	if err != nil {
		return err
	}
	f.q.From, f.q.To = p.From, p.To
	f.o.Opens, f.o.Zone = export.Opens(f.opens), p.Zone
	bar := newBar(cmd, "entries")
	e := &exporting{books: b, q: f.q, progress: bar.at}
	err = write(cmd, f.path, func(w io.Writer) error { return e.run(ctx, f.format, f.o, w) })
	bar.end()
	if err != nil {
		return err
	}
	sayOfWhom(cmd, b)
	if f.path != "-" {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s entries in %s\n", humanize.Comma(int64(e.n)), f.path)
	}
	return nil
}

// check settles the format, and refuses options that it has no use for.
func (f *exportFlags) check(cmd *cobra.Command) error {
	if f.asJSON {
		if cmd.Flags().Changed("format") && f.format != "jsonl" {
			return errors.New("--json is --format jsonl: leave one of them out")
		}
		f.format = "jsonl"
	}
	switch journal := f.format == "beancount" || f.format == "hledger"; {
	case !slices.Contains(export.Formats, f.format):
		return fmt.Errorf("--format is one of %s, not %q", strings.Join(export.Formats, ", "), f.format)
	case cmd.Flags().Changed("bom") && f.format != "csv":
		return errors.New("--bom is for --format csv")
	case cmd.Flags().Changed("opens") && !journal:
		return errors.New("--opens is for --format beancount and hledger")
	case !slices.Contains([]string{"all", "new", "none"}, f.opens):
		return fmt.Errorf("--opens is all, new or none, not %q", f.opens)
	}
	return nil
}

// errWhole ends the entries when the last one is there that the balances are of.
var errWhole = errors.New("that is all")

// exporting is an export under way.
type exporting struct {
	books
	q        ledger.Query
	to       export.Writer
	progress ledger.Progress
	n        uint64                  // entries so far
	all      *ledger.Balances        // that all entries of now make; nil: not all are chosen, or those of a fleet
	sums     map[string]money.Micros // by account, of all entries of a fleet; nil: of others
}

// run writes the entries that are chosen. Where all are, it writes those that there are now, though the gateway goes
// on, and then the balances that they make.
func (e *exporting) run(ctx context.Context, format string, o export.Options, w io.Writer) (err error) {
	switch _, ofFleet := e.books.(*fleetBooks); {
	case e.q != ledger.Query{}:
	case ofFleet: // entries of all gateways make balances only once all are there
		e.sums = map[string]money.Micros{}
	default:
		all, err := e.Balances(ctx)
		if err != nil {
			return err
		}
		e.all = &all
	}
	if o.Opens == export.OpensNew && !e.q.From.IsZero() {
		if o.Known, err = known(ctx, e.books, e.q); err != nil {
			return err
		}
	}
	out := bufio.NewWriterSize(w, 64<<10)
	if e.to, err = export.New(format, out, o); err != nil {
		return err
	}
	if err := e.write(ctx); err != nil {
		return err
	}
	if err := e.to.End(e.balances()); err != nil {
		return err
	}
	return out.Flush()
}

// write writes the entries.
func (e *exporting) write(ctx context.Context) (err error) {
	if e.all != nil && e.all.Entries == 0 {
		return nil
	}
	if lines, ok := e.to.(export.Liner); ok {
		err = e.Lines(ctx, e.q, func(raw []byte) error {
			if err := lines.Line(raw); err != nil {
				return err
			}
			return e.wrote(ledger.HashOf(raw))
		})
	} else {
		err = e.Entries(ctx, e.q, func(entry *ledger.Entry) error {
			if err := e.to.Entry(entry); err != nil {
				return err
			}
			if e.sums != nil {
				for _, p := range entry.Postings {
					e.sums[p.Account] += p.AmountMicros
				}
			}
			return e.wrote(entry.Hash)
		})
	}
	switch {
	case errors.Is(err, errWhole):
		return nil
	case err == nil && e.all != nil && e.n != e.all.Entries:
		return fmt.Errorf("the entry %s that the balances are of does not come: run caddy tokenbuddy verify", e.all.Head)
	}
	return err
}

// wrote counts an entry, and ends the export after the last one that the balances are of.
func (e *exporting) wrote(hash string) error {
	e.n++
	if e.all == nil {
		e.progress(e.n, 0)
		return nil
	}
	e.progress(e.n, e.all.Entries)
	if hash == e.all.Head {
		return errWhole
	}
	return nil
}

// balances are those of all accounts, where all entries are there.
func (e *exporting) balances() (accounts []ledger.Account) {
	if e.all != nil {
		return e.all.Accounts
	}
	for _, account := range slices.Sorted(maps.Keys(e.sums)) {
		accounts = append(accounts, ledger.Account{Account: account, BalanceMicros: e.sums[account]})
	}
	return accounts
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

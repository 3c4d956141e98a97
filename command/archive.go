package command

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

func archiveCommand() *cobra.Command {
	var (
		from       source
		before, to string
		asJSON     bool
	)
	cmd := &cobra.Command{
		Use:   "archive --before <day>",
		Short: "Moves closed months of the ledger into compressed files, while the gateway works",
		Long: `
Moves the entries of months (UTC) that end before a day into files, one for each month: compressed, sealed with the ledger's key, and
each part of them with a checksum. They are put beside the ledger's directory, in one with ".archive" at its end, or where --to says.
Statements, exports and verify read them there, as before; keep them, and keep copies. Sums, balances, budgets and tokens stay in the
ledger and need no file. The month of the newest entry is not moved. What is interrupted goes on with the next try, or the next start.`,
		Example: `  caddy tokenbuddy archive --before 2026-01-01
  caddy tokenbuddy archive --before 2026-01-01 --to /srv/books`,
		Args: noWords,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			end, err := admin.Clock{Now: time.Now(), Zone: time.UTC}.Parse(before)
			if err != nil {
				return fmt.Errorf("--before is %w", err)
			}
			if end.IsZero() {
				return errors.New("--before is empty: name a day such as 2026-01-01")
			}
			if to != "" {
				if to, err = filepath.Abs(to); err != nil {
					return fmt.Errorf("--to: %w", err)
				}
			}
			b, closeBooks, err := archivist(&from)
			if err != nil {
				return err
			}
			bar := newBar(cmd, "entries, each twice")
			done, err := b.Archive(ctx, end, to, bar.at)
			bar.end()
			if err = errors.Join(err, closeBooks()); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, done)
			}
			printArchived(cmd, before, &done)
			return nil
		}),
	}
	from.addTo(cmd)
	cmd.Flags().StringVar(&before, "before", "", "Months that end before it are moved: a day such as 2026-01-01 (its beginning, UTC), or a time")
	cmd.Flags().StringVar(&to, "to", "", "Directory of the files, on the gateway's machine; the default is beside the ledger's")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	needs(cmd, "before")
	return cmd
}

// archives is who moves entries into files: a ledger, and a gateway.
type archives interface {
	Archive(ctx context.Context, before time.Time, to string, progress ledger.Progress) (ledger.Archived, error)
}

func archivist(from *source) (a archives, closeBooks func() error, err error) {
	if from.dir != "" {
		l, err := from.owned()
		if err != nil {
			return nil, nil, err
		}
		return l, l.Close, nil
	}
	g, err := from.running()
	if err != nil {
		return nil, nil, err
	}
	return g, g.Close, nil
}

func printArchived(cmd *cobra.Command, before string, done *ledger.Archived) {
	out := cmd.OutOrStdout()
	if len(done.Files) == 0 {
		fmt.Fprintf(out, "Nothing is left to move: no month that ends before %s, and that a later one with entries follows.\n", before)
	} else {
		fmt.Fprintf(out, "%s entries are in files now, %s in all.\n", humanize.Comma(int64(done.Entries)), humanize.IBytes(uint64(done.Bytes)))
	}
	for _, f := range done.Files {
		fmt.Fprintf(out, "%s  %s entries  %s  %s\n", f.Month, humanize.Comma(int64(f.Entries)), humanize.IBytes(uint64(f.Bytes)), f.Path)
	}
	if !done.Until.IsZero() {
		fmt.Fprintf(out, "The oldest month in the ledger itself is %s.\n", done.Until.Format("2006-01"))
	}
	if len(done.Files) > 0 {
		fmt.Fprint(out, "Statements, exports and verify need these files: keep them, and copies of them.\n")
	}
}

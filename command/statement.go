package command

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/export"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
)

func statementCommand() *cobra.Command {
	var (
		from     source
		during   period
		by       string
		accounts bool
		asJSON   bool
		asCSV    bool
	)
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Prints a statement: who has spent what, and where the money is",
		Long: `
Prints what came of the money in a period: what each member, model, seller, group, project or day has cost, and what was
paid, is left with sellers, is on its way, was wasted, or is disputed. All amounts are US dollars.`,
		Example: `  caddy tokenbuddy ledger
  caddy tokenbuddy ledger --by seller --from 2026-01-01 --to 2026-02-01
  caddy tokenbuddy ledger --by member,model --from yesterday --to today
  caddy tokenbuddy ledger --from 2026-01-01 --to 2026-02-01 --csv > january.csv`,
		Args: noWords,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			if _, err := ledger.ParseKeys(by); err != nil {
				return fmt.Errorf("--by is %w, not %q", err, by)
			}
			b, err := from.open()
			if err != nil {
				return err
			}
			defer b.Close()
			period, err := during.of(ctx, b)
			if err != nil {
				return err
			}
			bar := newBar(cmd, "entries")
			s, err := b.Statement(ctx, period, by, bar.at)
			bar.end()
			if err != nil {
				return err
			}
			if asJSON {
				if f, ok := b.(*fleetBooks); ok {
					return printJSON(cmd, f.far)
				}
				return printJSON(cmd, s)
			}
			sayOfWhom(cmd, b)
			if asCSV {
				return export.StatementCSV(cmd.OutOrStdout(), &s)
			}
			printStatement(cmd.OutOrStdout(), &s, accounts)
			return nil
		}),
	}
	from.addFleetTo(cmd)
	during.addTo(cmd)
	cmd.Flags().StringVar(&by, "by", "member", "What the rows are of: member, model, seller, group, project, day, or several of them, such as member,model")
	cmd.Flags().BoolVar(&accounts, "accounts", false, "Print every account too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON, with amounts in micros (millionths of a US dollar)")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "Print the rows as CSV, for spreadsheets, with amounts in micros")
	cmd.MarkFlagsMutuallyExclusive("json", "csv")
	cmd.MarkFlagsMutuallyExclusive("accounts", "csv")
	return cmd
}

func printStatement(w io.Writer, s *ledger.Statement, accounts bool) {
	fmt.Fprintf(w, "Statement by %s, %s: %s entries, amounts in US dollars\n\n", s.By, periodWords(s.From, s.To, s.Zone), humanize.Comma(int64(s.Entries)))
	rowsTable(s).print(w)
	fmt.Fprintln(w)
	placesTable(s).print(w)
	if accounts {
		fmt.Fprintln(w)
		accountsTable(s).print(w)
	}
}

// periodWords says a period in words, by the days of a zone.
func periodWords(from, to time.Time, name string) string {
	zone, err := admin.LoadZone(name)
	if err != nil {
		zone = time.UTC
	}
	text := func(t time.Time) string {
		t = t.In(zone)
		if year, month, day := t.Date(); t.Equal(ledger.BeginOfDay(year, month, day, zone)) {
			return t.Format(time.DateOnly)
		}
		return t.Format("2006-01-02 15:04:05 MST")
	}
	if zone != time.UTC && !(from.IsZero() && to.IsZero()) {
		return between(from, to, text) + " (" + name + ")"
	}
	return between(from, to, text)
}

func between(from, to time.Time, text func(time.Time) string) string {
	switch {
	case from.IsZero() && to.IsZero():
		return "from the beginning until now"
	case from.IsZero():
		return "from the beginning until before " + text(to)
	case to.IsZero():
		return "from " + text(from) + " until now"
	}
	return "from " + text(from) + " until before " + text(to)
}

// rowsTable says what each member, model, seller, group, project or day has cost. With sellers it says what was paid to them and is left there.
func rowsTable(s *ledger.Statement) *table {
	by := strings.Split(s.By, ",")
	t := new(table)
	for i := range by {
		t.words = append(t.words, i)
	}
	head := append(slices.Clone(by), "requests", "prompt", "cached", "completion", "spent", "wasted", "disputed", "cost")
	paid, kept := slices.Contains(by, "seller") || slices.Contains(by, "day"), s.By == "seller"
	if paid {
		head = append(head, "paid")
	}
	if kept {
		head = append(head, "pending", "left")
	}
	t.add(head...)
	t.add(rule...)
	row := func(names []string, r *ledger.StatementRow, pending, left money.Micros) {
		cells := append(names, humanize.Comma(r.Requests), humanize.Comma(r.PromptTokens), humanize.Comma(r.CacheReadTokens), humanize.Comma(r.CompletionTokens),
			r.ExpenseMicros.Fixed(), r.WasteMicros.Fixed(), r.DisputedMicros.Fixed(), cost(r).Fixed(),
		)
		if paid {
			cells = append(cells, r.PaidMicros.Fixed())
		}
		if kept {
			cells = append(cells, pending.Fixed(), left.Fixed())
		}
		t.add(cells...)
	}
	pending, left := closing(s, "pending"), closing(s, "credit")
	var total ledger.StatementRow
	var totalPending, totalLeft money.Micros
	for _, r := range everyRow(s, pending, left) {
		total.Requests += r.Requests
		total.PromptTokens += r.PromptTokens
		total.CacheReadTokens += r.CacheReadTokens
		total.CompletionTokens += r.CompletionTokens
		total.ExpenseMicros += r.ExpenseMicros
		total.WasteMicros += r.WasteMicros
		total.DisputedMicros += r.DisputedMicros
		total.PaidMicros += r.PaidMicros
		totalPending += pending[r.Key]
		totalLeft += left[r.Key]
		if r.Requests != 0 || cost(&r) != 0 || paid {
			row(names(by, &r), &r, pending[r.Key], left[r.Key])
		}
	}
	t.add(rule...)
	row(append([]string{"total"}, make([]string, len(by)-1)...), &total, totalPending, totalLeft)
	return t
}

// names are what a row is of, as it is shown.
func names(by []string, r *ledger.StatementRow) []string {
	keys := slices.Clone(r.Keys)
	if len(by) == 1 {
		keys = []string{r.Key}
	}
	for i, k := range keys {
		if k == "" && i < len(by) {
			keys[i] = "(no " + by[i] + ")"
		} else {
			keys[i] = plain.Name(k)
		}
	}
	return keys
}

// cost is all that a row's money has gone for, whether it got anything or not.
func cost(r *ledger.StatementRow) money.Micros {
	return r.ExpenseMicros + r.WasteMicros + r.DisputedMicros
}

// everyRow gives the rows, and with sellers also those who have done nothing in the period but have money of ours.
func everyRow(s *ledger.Statement, kept ...map[string]money.Micros) []ledger.StatementRow {
	rows := slices.Clone(s.Rows)
	if s.By != "seller" {
		return rows
	}
	known := map[string]bool{}
	for _, r := range rows {
		known[r.Key] = true
	}
	for _, balances := range kept {
		for _, key := range slices.Sorted(maps.Keys(balances)) {
			if balances[key] != 0 && !known[key] {
				known[key] = true
				rows = append(rows, ledger.StatementRow{RowKey: ledger.RowKey{Key: key}})
			}
		}
	}
	return rows
}

// closing gives the balances of the accounts of a kind at the end of the period, by seller.
func closing(s *ledger.Statement, kind string) map[string]money.Micros {
	balances := map[string]money.Micros{}
	for _, a := range s.Accounts {
		if k, of := ledger.SplitAccount(a.Account); k == kind && len(of) == 1 {
			balances[of[0]] += a.ClosingMicros
		}
	}
	return balances
}

// places are where money can be that was paid, and what people should know of it.
var places = []struct{ kind, name, note string }{
	{"expense", "spent", "what members' requests have cost"},
	{"credit", "left", "credit on tokens, at their sellers"},
	{shared, "shared", "credit on shared tokens that nobody in the fleet has set aside; of one gateway what it has put there, below zero: taken"},
	{"pending", "pending", "on its way: nobody knows yet whether it is gone, so it counts as spent"},
	{"waste", "wasted", "failed attempts, tokens that were dropped or expired"},
	{"disputed", "disputed", "taken by sellers for nothing, or above their price"},
	{"adjustment", "adjusted", "what sellers said of balances: below zero in our favour"},
}

// shared is the place of a fleet's shared tokens, which is shown where anything was ever there.
const shared = "fleet"

// placesTable says where the money is: what was paid is in one of the places, to the micro.
func placesTable(s *ledger.Statement) *table {
	t := &table{words: []int{0, 4}}
	line := func(name string, m ledger.Movement, note string) {
		t.add(name, m.OpeningMicros.Fixed(), m.MovedMicros.Fixed(), m.ClosingMicros.Fixed(), note)
	}
	t.add("the money", "before", "in the period", "at the end")
	t.add(rule...)
	var sum ledger.Movement
	for _, p := range places {
		m := movement(s, p.kind)
		if p.kind == shared && m == (ledger.Movement{}) {
			continue
		}
		line(p.name, m, p.note)
		sum.OpeningMicros += m.OpeningMicros
		sum.MovedMicros += m.MovedMicros
		sum.ClosingMicros += m.ClosingMicros
	}
	t.add(rule...)
	paid := movement(s, "wallet")
	paid = ledger.Movement{OpeningMicros: -paid.OpeningMicros, MovedMicros: -paid.MovedMicros, ClosingMicros: -paid.ClosingMicros}
	note := "the sum of the above"
	if paid != sum {
		note = "NOT the sum of the above: run caddy tokenbuddy verify"
	}
	line("paid", paid, note)
	if s.From.IsZero() { // there is no before
		for i, row := range t.rows {
			if row != nil {
				t.rows[i] = slices.Delete(row, 1, 3)
			}
		}
		t.words = []int{0, 2}
	}
	return t
}

// movement sums the accounts of a kind.
func movement(s *ledger.Statement, kind string) (sum ledger.Movement) {
	for _, a := range s.Accounts {
		if k, _ := ledger.SplitAccount(a.Account); k == kind {
			sum.OpeningMicros += a.OpeningMicros
			sum.MovedMicros += a.MovedMicros
			sum.ClosingMicros += a.ClosingMicros
		}
	}
	return sum
}

// accountsTable lists every account, as the books have it: debits are positive.
func accountsTable(s *ledger.Statement) *table {
	t := &table{words: []int{0}}
	t.add("account", "before", "in the period", "at the end")
	t.add(rule...)
	for _, a := range s.Accounts {
		t.add(plain.Name(a.Account), a.OpeningMicros.Fixed(), a.MovedMicros.Fixed(), a.ClosingMicros.Fixed())
	}
	return t
}

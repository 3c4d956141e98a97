package command

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
)

// period is what the flags --from and --to say.
type period struct{ from, to string }

func (p *period) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.from, "from", "", "Beginning of the period: a time such as 2026-01-31T12:00:00Z, or a day (its beginning, UTC)")
	cmd.Flags().StringVar(&p.to, "to", "", "End of the period, which is not in it: --from 2026-01-01 --to 2026-02-01 is January")
}

func (p *period) times() (from, to time.Time, err error) {
	if from, err = admin.ParseTime(p.from); err != nil {
		return from, to, fmt.Errorf("--from is %w", err)
	}
	if to, err = admin.ParseTime(p.to); err != nil {
		return from, to, fmt.Errorf("--to is %w", err)
	}
	if !to.IsZero() && !to.After(from) {
		return from, to, fmt.Errorf("--to %s is not after --from %s", p.to, p.from)
	}
	return from, to, nil
}

// statementKeys are what a statement may go by.
var statementKeys = []string{"member", "model", "seller", "group", "project", "day"}

func statementCommand() *cobra.Command {
	var (
		from     source
		during   period
		by       string
		accounts bool
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Prints a statement: who has spent what, and where the money is",
		Long: `
Prints what came of the money in a period: what each member, model, seller, group, project or day has cost, and what was
paid, is left with sellers, is on its way, was wasted, or is disputed. All amounts are US dollars.`,
		Example: `  caddy tokenbuddy ledger
  caddy tokenbuddy ledger --by seller --from 2026-01-01 --to 2026-02-01`,
		Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			begin, end, err := during.times()
			if err != nil {
				return err
			}
			if !slices.Contains(statementKeys, by) {
				return fmt.Errorf("--by is member, model, seller, group, project or day, not %q", by)
			}
			b, err := from.open()
			if err != nil {
				return err
			}
			defer b.Close()
			bar := newBar(cmd, "entries")
			s, err := b.Statement(ctx, begin, end, by, bar.at)
			bar.end()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, s)
			}
			printStatement(cmd.OutOrStdout(), &s, accounts)
			return nil
		}),
	}
	from.addTo(cmd)
	during.addTo(cmd)
	cmd.Flags().StringVar(&by, "by", "member", "What the rows are of: member, model, seller, group, project or day")
	cmd.Flags().BoolVar(&accounts, "accounts", false, "Print every account too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON, with amounts in micros (millionths of a US dollar)")
	return cmd
}

func printStatement(w io.Writer, s *ledger.Statement, accounts bool) {
	fmt.Fprintf(w, "Statement by %s, %s: %s entries, amounts in US dollars\n\n", s.By, during(s.From, s.To), humanize.Comma(int64(s.Entries)))
	rowsTable(s).print(w)
	fmt.Fprintln(w)
	placesTable(s).print(w)
	if accounts {
		fmt.Fprintln(w)
		accountsTable(s).print(w)
	}
}

// during says a period in words.
func during(from, to time.Time) string {
	text := func(t time.Time) string {
		if t = t.UTC(); t.Equal(t.Truncate(24 * time.Hour)) {
			return t.Format(time.DateOnly)
		}
		return t.Format("2006-01-02 15:04:05 UTC")
	}
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
	t := &table{words: "0"}
	head := []string{s.By, "requests", "prompt", "cached", "completion", "spent", "wasted", "disputed", "cost"}
	paid, kept := s.By == "seller" || s.By == "day", s.By == "seller"
	if paid {
		head = append(head, "paid")
	}
	if kept {
		head = append(head, "pending", "left")
	}
	t.add(head...)
	t.add(rule...)
	row := func(name string, r *ledger.StatementRow, pending, left money.Micros) {
		cells := []string{
			name, humanize.Comma(r.Requests), humanize.Comma(r.PromptTokens), humanize.Comma(r.CacheReadTokens), humanize.Comma(r.CompletionTokens),
			r.ExpenseMicros.Fixed(), r.WasteMicros.Fixed(), r.DisputedMicros.Fixed(), cost(r).Fixed(),
		}
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
		name := plain.Name(r.Key)
		if r.Key == "" {
			name = "(no " + s.By + ")"
		}
		if r.Requests != 0 || cost(&r) != 0 || paid {
			row(name, &r, pending[r.Key], left[r.Key])
		}
	}
	t.add(rule...)
	row("total", &total, totalPending, totalLeft)
	return t
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
				rows = append(rows, ledger.StatementRow{Key: key})
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
	{"pending", "pending", "on its way: nobody knows yet whether it is gone, so it counts as spent"},
	{"waste", "wasted", "failed attempts, tokens that were dropped or expired"},
	{"disputed", "disputed", "taken by sellers for nothing, or above their price"},
	{"adjustment", "adjusted", "what sellers said of balances: below zero in our favour"},
}

// placesTable says where the money is: what was paid is in one of the places, to the micro.
func placesTable(s *ledger.Statement) *table {
	t := &table{words: "04"}
	line := func(name string, m ledger.Movement, note string) {
		t.add(name, m.OpeningMicros.Fixed(), m.MovedMicros.Fixed(), m.ClosingMicros.Fixed(), note)
	}
	t.add("the money", "before", "in the period", "at the end")
	t.add(rule...)
	var sum ledger.Movement
	for _, p := range places {
		m := movement(s, p.kind)
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
		t.words = "02"
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
	t := &table{words: "0"}
	t.add("account", "before", "in the period", "at the end")
	t.add(rule...)
	for _, a := range s.Accounts {
		t.add(plain.Name(a.Account), a.OpeningMicros.Fixed(), a.MovedMicros.Fixed(), a.ClosingMicros.Fixed())
	}
	return t
}

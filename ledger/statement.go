package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Progress is told how many of so many entries have been read. It is called often, and must not block.
type Progress func(done, total uint64)

// progressStep is how many entries are read between two calls of a Progress.
const progressStep = 256

// Period is a time, with the zone by which its days begin.
type Period struct {
	From, To time.Time      // from inclusive, to exclusive; zero: no bound
	Zone     *time.Location // nil: UTC
}

// Statement says what came of the money in a period: of whose requests, and in which account it was before and after.
type Statement struct {
	From     time.Time      `json:"from,omitzero"` // inclusive; zero: from the beginning
	To       time.Time      `json:"to,omitzero"`   // exclusive; zero: until now
	Zone     string         `json:"zone"`          // by which days begin
	By       string         `json:"by"`
	Entries  uint64         `json:"entries"` // of the period
	Rows     []StatementRow `json:"rows"`
	Accounts []Movement     `json:"accounts"`
}

// StatementRow is what the entries of one member, model, seller, group, project or day sum to. What no member or model has caused, such as a
// purchase or a token that expired, is under the empty key.
type StatementRow struct {
	RowKey
	Requests         int64        `json:"requests"`
	PromptTokens     int64        `json:"promptTokens"`
	CompletionTokens int64        `json:"completionTokens"`
	CacheReadTokens  int64        `json:"cacheReadTokens"`
	PaidMicros       money.Micros `json:"paidMicros"` // left the wallets
	ExpenseMicros    money.Micros `json:"expenseMicros"`
	WasteMicros      money.Micros `json:"wasteMicros"`
	DisputedMicros   money.Micros `json:"disputedMicros"`
	AdjustmentMicros money.Micros `json:"adjustmentMicros"`
}

// Movement is an account's balance before the period, what the period's postings to it sum to, and its balance after.
type Movement struct {
	Account       string       `json:"account"`
	OpeningMicros money.Micros `json:"openingMicros"`
	MovedMicros   money.Micros `json:"movedMicros"`
	ClosingMicros money.Micros `json:"closingMicros"`
}

// Statement reads the entries of a period, and of the time after it: unlike a Summary it has every posting in it. Its rows go by "member",
// "model", "seller", "group", "project", "day" (of the period's zone), or several of them with commas between, sorted by key. Progress
// may be nil.
func (l *Ledger) Statement(ctx context.Context, p Period, by string, progress Progress) (Statement, error) {
	sum, err := newStatement(p, by)
	if err != nil {
		return sum.Statement, err
	}
	err = l.view(ctx, func(v *view) error {
		first, err := v.first(Query{From: p.From})
		if err != nil {
			return err
		}
		err = v.entries(first, func(seq uint64, e *Entry, _ []byte) error {
			if progress != nil && (seq-first)%progressStep == 0 {
				progress(seq-first, v.head.Sequence+1-first)
			}
			sum.add(e)
			return nil
		})
		if err != nil {
			return err
		}
		return each(v.txn, accountPrefix, func(name string, balance *money.Micros) error {
			sum.close(name, *balance)
			return nil
		})
	})
	return sum.done(), err
}

// summing is a statement in the making.
type summing struct {
	Statement
	zone         *time.Location
	keys, values []string
	rows         *rowsBy[StatementRow]
	moved, after map[string]money.Micros // by account, in the period and after it
}

func newStatement(p Period, by string) (*summing, error) {
	if p.Zone == nil {
		p.Zone = time.UTC
	}
	s := &summing{
		Statement: Statement{From: p.From, To: p.To, Zone: p.Zone.String(), By: by, Rows: []StatementRow{}, Accounts: []Movement{}},
		zone:      p.Zone, rows: newRowsBy[StatementRow](), moved: map[string]money.Micros{}, after: map[string]money.Micros{},
	}
	var err error
	if s.keys, err = ParseKeys(by); err != nil {
		return s, fmt.Errorf("ledger: a statement goes by %w, not by %q", err, by)
	}
	s.values = make([]string, len(s.keys))
	return s, nil
}

// add adds an entry of the period or of the time after it.
func (s *summing) add(e *Entry) {
	sums := s.moved
	if !s.To.IsZero() && !e.Time.Before(s.To) {
		sums = s.after
	} else {
		s.Entries++
		for i, k := range s.keys {
			s.values[i] = e.value(k, s.zone)
		}
		s.rows.of(s.values, func(k RowKey) *StatementRow { return &StatementRow{RowKey: k} }).add(e)
	}
	for _, p := range e.Postings {
		sums[p.Account] += p.AmountMicros
	}
}

// close says what an account's balance is after all entries. Accounts come sorted by name.
func (s *summing) close(account string, balance money.Micros) {
	closing := balance - s.after[account]
	s.Accounts = append(s.Accounts, Movement{account, closing - s.moved[account], s.moved[account], closing})
}

func (s *summing) done() Statement {
	s.Rows = slices.DeleteFunc(s.rows.sorted(), func(r StatementRow) bool { return r.idle() })
	return s.Statement
}

// add adds an entry to the row.
func (r *StatementRow) add(e *Entry) {
	if s := e.Served; s != nil {
		r.Requests++
		r.PromptTokens += s.PromptTokens
		r.CompletionTokens += s.CompletionTokens
		r.CacheReadTokens += s.CacheReadTokens
	}
	for _, p := range e.Postings {
		switch kind, _ := SplitAccount(p.Account); kind {
		case "wallet":
			r.PaidMicros -= p.AmountMicros
		case "expense":
			r.ExpenseMicros += p.AmountMicros
		case "waste":
			r.WasteMicros += p.AmountMicros
		case "disputed":
			r.DisputedMicros += p.AmountMicros
		case "adjustment":
			r.AdjustmentMicros += p.AmountMicros
		}
	}
}

// idle tells whether nothing of what a row tells has come of its entries: they are orders, say, or the granting of what was paid in another period.
func (r *StatementRow) idle() bool {
	return r.Requests == 0 && r.PaidMicros == 0 && r.ExpenseMicros == 0 && r.WasteMicros == 0 && r.DisputedMicros == 0 && r.AdjustmentMicros == 0
}

// Balances are the accounts after a certain entry.
type Balances struct {
	Entries  uint64    // how many there were
	Head     string    // the hash of the last of them; empty: there is none
	Accounts []Account // sorted by name
}

// Balances gives the balance of every account, and after which entry it was so: what the entries until then sum to.
func (l *Ledger) Balances(ctx context.Context) (Balances, error) {
	var b Balances
	err := l.view(ctx, func(v *view) error {
		b.Entries, b.Head = v.head.Sequence, v.head.Hash
		return each(v.txn, accountPrefix, func(name string, m *money.Micros) error {
			b.Accounts = append(b.Accounts, Account{name, *m})
			return nil
		})
	})
	return b, err
}

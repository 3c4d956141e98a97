package export

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// journal is what the plain-text formats have in common: lines, accounts that are declared once, and the time of the newest entry.
type journal struct {
	out    *bufio.Writer
	opens  Opens
	opened map[string]bool   // accounts of the ledger
	names  map[string]string // of accounts, as the program has them
	zone   *time.Location
	last   time.Time // of the newest entry, in that zone
}

func newJournal(w io.Writer, o Options) journal {
	j := journal{
		out: bufio.NewWriter(w), opens: o.Opens, opened: make(map[string]bool), names: make(map[string]string), zone: o.Zone,
	}
	if o.Opens == OpensNew {
		maps.Copy(j.opened, o.Known)
	}
	if j.zone == nil {
		j.zone = time.UTC
	}
	return j
}

// day is the day of an entry, which is the newest by now.
func (j *journal) day(e *ledger.Entry) string {
	j.last = e.Time.In(j.zone)
	return j.last.Format(time.DateOnly)
}

// asserted are the accounts whose balances are to be checked: all but the wallets, into which operators book what they have put there
// themselves. What has left them for us is checked all the same, as each entry sums to zero.
func asserted(balances []ledger.Account) []ledger.Account {
	return slices.DeleteFunc(slices.Clone(balances), func(a ledger.Account) bool {
		kind, _ := ledger.SplitAccount(a.Account)
		return kind == "wallet"
	})
}

// name is an account's, as the program has it: made once.
func (j *journal) name(account string, spell func(string) string) string {
	n, ok := j.names[account]
	if !ok {
		n = spell(account)
		j.names[account] = n
	}
	return n
}

// put writes texts, one after the other.
func (j *journal) put(texts ...string) {
	for _, t := range texts {
		_, _ = j.out.WriteString(t)
	}
}

// line writes a line. The buffer keeps its first error for Flush.
func (j *journal) line(format string, v ...any) {
	fmt.Fprintf(j.out, format, v...)
	_ = j.out.WriteByte('\n')
}

// declares tells whether an account is to be declared: it is met for the first time.
func (j *journal) declares(account string) bool {
	known := j.opened[account]
	j.opened[account] = true
	return !known && j.opens != OpensNone
}

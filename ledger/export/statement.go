package export

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// StatementCSV writes the rows of a statement as the CSV of entries is written: amounts are whole micros, and no name is a formula.
func StatementCSV(w io.Writer, s *ledger.Statement) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	by := strings.Split(s.By, ",")
	_ = out.Write(append(by, "requests", "promptTokens", "completionTokens", "cacheReadTokens",
		"paidMicros", "expenseMicros", "wasteMicros", "disputedMicros", "adjustmentMicros")) // it keeps its first error
	for i := range s.Rows {
		r := &s.Rows[i]
		keys := r.Keys
		if len(by) == 1 {
			keys = []string{r.Key}
		}
		record := make([]string, 0, len(by)+9)
		for _, key := range keys {
			record = append(record, defuse(key))
		}
		for _, n := range []int64{r.Requests, r.PromptTokens, r.CompletionTokens, r.CacheReadTokens} {
			record = append(record, strconv.FormatInt(n, 10))
		}
		for _, amount := range []money.Micros{r.PaidMicros, r.ExpenseMicros, r.WasteMicros, r.DisputedMicros, r.AdjustmentMicros} {
			record = append(record, strconv.FormatInt(int64(amount), 10))
		}
		_ = out.Write(record)
	}
	out.Flush()
	return out.Error()
}

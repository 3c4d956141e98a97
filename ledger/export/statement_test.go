package export

import (
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

func TestStatementCSV(t *testing.T) {
	for _, test := range []struct {
		by   string
		rows []ledger.StatementRow
		want string
	}{
		{"member", []ledger.StatementRow{
			{RowKey: ledger.RowKey{Key: ""}, WasteMicros: 120_000, PaidMicros: 5_000_000},
			{RowKey: ledger.RowKey{Key: "=ada,\"b\""}, Requests: 1204, PromptTokens: 9_120_442, CompletionTokens: 302_118, CacheReadTokens: 811_020, ExpenseMicros: 6_204_113, DisputedMicros: 30_000, AdjustmentMicros: -7},
		}, "member,requests,promptTokens,completionTokens,cacheReadTokens,paidMicros,expenseMicros,wasteMicros,disputedMicros,adjustmentMicros\n" +
			",0,0,0,0,5000000,0,120000,0,0\n" +
			"\"'=ada,\"\"b\"\"\",1204,9120442,302118,811020,0,6204113,0,30000,-7\n"},
		{
			"member,model",
			[]ledger.StatementRow{{RowKey: ledger.RowKey{Key: "ada,m", Keys: []string{"ada", "m"}}, Requests: 1}},
			"member,model,requests,promptTokens,completionTokens,cacheReadTokens,paidMicros,expenseMicros,wasteMicros,disputedMicros,adjustmentMicros\nada,m,1,0,0,0,0,0,0,0,0\n",
		},
		{"day", nil, "day,requests,promptTokens,completionTokens,cacheReadTokens,paidMicros,expenseMicros,wasteMicros,disputedMicros,adjustmentMicros\n"},
	} {
		var out strings.Builder
		if err := StatementCSV(&out, &ledger.Statement{By: test.by, Rows: test.rows}); err != nil {
			t.Error(err)
		}
		if got := strings.ReplaceAll(out.String(), "\r\n", "\n"); got != test.want {
			t.Errorf("by %s:\n%s\nwant\n%s", test.by, got, test.want)
		}
	}
}

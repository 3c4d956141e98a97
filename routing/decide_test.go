package routing

import (
	"net/http"
	"testing"
)

func TestJudge(t *testing.T) {
	for _, row := range []struct {
		status int
		body   string
		want   Kind
	}{
		{200, ``, ""},
		{201, `not even JSON`, ""},
		{402, ``, InsufficientFunds},
		{429, `{"error":{"code":"insufficient_quota"}}`, InsufficientFunds},
		{400, `{"error":{"type":"insufficient_balance"}}`, InsufficientFunds},
		{403, `{"error":{"code":"insufficient_funds"}}`, InsufficientFunds},
		{401, ``, AuthInvalid},
		{403, ``, AuthInvalid},
		{400, `{"error":{"message":"insufficient_funds"}}`, Hard4xx},
		{404, ``, Hard4xx},
		{409, ``, Hard4xx},
		{413, ``, Hard4xx},
		{418, ``, Hard4xx},
		{422, ``, Hard4xx},
		{301, ``, Soft5xx},
		{304, ``, Soft5xx},
		{408, ``, Soft5xx},
		{425, ``, Soft5xx},
		{429, ``, Soft5xx},
		{500, ``, Soft5xx},
		{503, ``, Soft5xx},
		{529, ``, Soft5xx},
		{101, ``, Soft5xx},
	} {
		if got := Judge(row.status, []byte(row.body)); got.Kind != row.want || got.Status != row.status {
			t.Errorf("Judge(%d, %s) = %+v, want %q", row.status, row.body, got, row.want)
		}
	}
}

func TestDecide(t *testing.T) {
	var (
		others   = Position{Attempts: 1, MaxAttempts: 4, Untried: 1}
		last     = Position{Attempts: 1, MaxAttempts: 4}
		rebought = Position{Attempts: 2, MaxAttempts: 4, Untried: 1, Rebought: true}
		lastAlso = Position{Attempts: 2, MaxAttempts: 4, Rebought: true}
		spent    = Position{Attempts: 4, MaxAttempts: 4, Untried: 1}
	)
	for _, row := range []struct {
		name string
		at   Position
		of   Outcome
		want Decision
	}{
		{"a good answer", others, Outcome{Status: 200}, Decision{Step: Deliver}},
		{"402: buy once more there", others, Outcome{InsufficientFunds, 402}, Decision{Step: Rebuy, RefuseToken: true}},
		{"402 from the last candidate", last, Outcome{InsufficientFunds, 402}, Decision{Step: Rebuy, RefuseToken: true}},
		{"a second 402", rebought, Outcome{InsufficientFunds, 402}, Decision{Step: Next, RefuseToken: true}},
		{"a second 402, and nobody else", lastAlso, Outcome{InsufficientFunds, 402}, Decision{Step: GiveUp, RefuseToken: true}},
		{"402 when all attempts are spent", spent, Outcome{InsufficientFunds, 402}, Decision{Step: GiveUp, RefuseToken: true}},
		{"401", others, Outcome{AuthInvalid, 401}, Decision{Step: Next, DropToken: true}},
		{"401 from the last candidate", last, Outcome{AuthInvalid, 401}, Decision{Step: Rebuy, DropToken: true}},
		{"a second 401", lastAlso, Outcome{AuthInvalid, 401}, Decision{Step: GiveUp, DropToken: true}},
		{"403: the token stays", others, Outcome{AuthInvalid, 403}, Decision{Step: Next}},
		{"403 from the last candidate", last, Outcome{AuthInvalid, 403}, Decision{Step: GiveUp}},
		{"400: the request is at fault", others, Outcome{Hard4xx, 400}, Decision{Step: Deliver}},
		{"422 when all attempts are spent", spent, Outcome{Hard4xx, 422}, Decision{Step: Deliver}},
		{"404: another may have it", others, Outcome{Hard4xx, http.StatusNotFound}, Decision{Step: Next}},
		{"404 from the last candidate", last, Outcome{Hard4xx, http.StatusNotFound}, Decision{Step: GiveUp}},
		{"500", others, Outcome{Soft5xx, 500}, Decision{Step: Next}},
		{"500 from the last candidate", last, Outcome{Soft5xx, 500}, Decision{Step: GiveUp}},
		{"500 when all attempts are spent", spent, Outcome{Soft5xx, 500}, Decision{Step: GiveUp}},
		{"no answer", others, Outcome{Kind: Deadline}, Decision{Step: Next}},
		{"no answer from the last candidate", last, Outcome{Kind: Deadline}, Decision{Step: GiveUp}},
		{"a purchase that failed", others, Outcome{Kind: PurchaseFailed}, Decision{Step: Next}},
		{"a purchase that would pass a limit", others, Outcome{Kind: BudgetExceeded}, Decision{Step: Next}},
		{"a limit, and nobody else", last, Outcome{Kind: BudgetExceeded}, Decision{Step: GiveUp}},
		{"the client went away", others, Outcome{Kind: ClientGone}, Decision{Step: Leave}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Decide(row.at, row.of); got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}

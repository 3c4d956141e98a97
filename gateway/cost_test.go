package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// TestPricesAreFoundOnce: what a request with other models beside its own costs is asked for again and again while it is served, and the models of
// an account are many.
func TestPricesAreFoundOnce(t *testing.T) {
	var prices, others []string
	for i := range 50 {
		others = append(others, fmt.Sprint("m", i))
		prices = append(prices, fmt.Sprintf(`{"model":"m%d","input":"%d","output":"1"}`, i, i+1))
	}
	w := openWay(t, `"sellers":[{"id":"a","url":"https://a.example","api_key":"k","prices":[`+strings.Join(prices, ",")+`]}]`)
	rq := &request{
		gw: w.gw, log: w.gw.log, ask: &dialect.Request{Model: "m0", Fallbacks: others[1:]}, cost: billing.Shape{PromptTokens: 1_000_000, MaxOutput: 1},
		candidates: []*routing.Candidate{w.gw.table.Index().Candidates("m0", dialect.ChatCompletions).Find("a")},
	}
	if refusal := rq.weigh(); refusal != nil {
		t.Fatal(refusal)
	}
	c := rq.candidates[0]
	if bound := rq.bound(c); bound < 50_000_000 {
		t.Errorf("the dearest costs %d", bound)
	}
	if n := testing.AllocsPerRun(100, func() { rq.bound(c) }); n != 0 {
		t.Errorf("%v objects", n)
	}
}

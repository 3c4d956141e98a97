package e2e

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestRaiseUnderLoad has sixty requests at once ask for a member's budget while it is raised: what is spent is never above what the
// budget is by then, and the raise acts without a pause.
func TestRaiseUnderLoad(t *testing.T) {
	t.Parallel()
	const budget, raised = 1_000, 500 // micros; a request costs 60
	body := chatOf("m", `"max_tokens":30,`)
	s := newStage(t)
	s.seller("acme", settledBy(answerPlain, "Billed-Micros", "60"), priced("m"))
	s.open("")
	key := keyIn(t, s.members("add", "ada", "--daily-budget", "0.001"))
	var served, refused atomic.Int64
	ask := func() {
		req, err := http.NewRequest(http.MethodPost, s.url("/v1/chat/completions"), strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		_ = res.Body.Close()
		switch res.StatusCode {
		case http.StatusOK:
			served.Add(1)
		case http.StatusPaymentRequired, http.StatusTooManyRequests, http.StatusServiceUnavailable:
			refused.Add(1)
		default:
			t.Errorf("status %d", res.StatusCode)
		}
	}
	done := make(chan struct{})
	var crowd sync.WaitGroup
	for range 60 {
		crowd.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					ask()
				}
			}
		})
	}
	limit := int64(budget)
	for round := range 4 {
		// Once the budget is used up nothing is served, and what was is booked: a round of refusals of everybody tells.
		eventually(t, "the budget is used up", func() bool { return served.Load()*60 > limit-100 })
		sum := int64(0)
		for _, e := range s.entries("inference") {
			sum += e.ExpenseMicros
		}
		if sum > limit {
			t.Errorf("round %d: %d micros are spent of %d", round, sum, limit)
		}
		limit += raised
		s.members("raise", "ada", "0.0005")
	}
	eventually(t, "the last raise is used up", func() bool { return served.Load()*60 > limit-100 })
	close(done)
	crowd.Wait()
	if row := s.memberRow("ada"); row.DayMicros > limit || row.DayMicros != served.Load()*60 || row.Budgets[0].LimitMicros != limit ||
		row.Budgets[0].HeldMicros != 0 || row.Refused["insufficient_quota"] == 0 {
		t.Errorf("%d are served, %d refused, and ada is %+v", served.Load(), refused.Load(), row)
	}
	s.verify()
}

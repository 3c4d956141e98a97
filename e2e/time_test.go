package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestDeadlines has sellers that are slow, or hang, in each API, streamed and not: who is cut, in whose favour, and when.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	const short, long = 300 * time.Millisecond, 1500 * time.Millisecond
	good := func(w http.ResponseWriter, r *http.Request, body []byte) {
		(&question{speech: speechOf(r.URL.Path), mark: "even", stream: isStream(body)}).serve(w, fmt.Sprint(time.Now().UnixNano()))
	}
	hangs := func(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() }
	slow := func(w http.ResponseWriter, r *http.Request, body []byte) {
		await(r, 2*short)
		good(w, r, body)
	}
	const site = "\t\tfailover {\n\t\t\tretries 0\n\t\t\tcooldown 1ms\n\t\t\tdeadline %s\n\t\t}\n"
	for _, row := range []struct {
		name     string
		failover string
		env      string // TB_PROXYD_REQUEST_DEADLINE_MS
		first    handler
		others   bool // there is a second seller
		streamed bool
		status   int
		seller   string
		least    time.Duration
	}{
		{name: "a stream goes on to the next", failover: "300ms 60s", first: hangs, others: true, streamed: true, status: 200, seller: "second", least: short},
		{name: "a stream waits for the last one", failover: "300ms 60s", first: slow, streamed: true, status: 200, seller: "first", least: 2 * short},
		{name: "a stream does not wait for ever", failover: "300ms 1500ms", first: hangs, streamed: true, status: 504, seller: "first", least: long},
		{name: "what was paid is not cut", failover: "300ms 1500ms", first: hangs, others: true, status: 504, seller: "first", least: long},
		{name: "what is slow is not cut", failover: "300ms 60s", first: slow, others: true, status: 200, seller: "first", least: 2 * short},
		{name: "a third value", failover: "60s 60s 300ms", first: hangs, others: true, status: 200, seller: "second", least: short},
		{name: "a third value and nobody else", failover: "60s 60s 300ms", first: slow, status: 200, seller: "first", least: 2 * short},
		{name: "a stream's last attempt", failover: "300ms 60s\n\t\t\tmax_attempts 1", first: slow, others: true, streamed: true, status: 200, seller: "first", least: 2 * short},
		{name: "a third value and the last attempt", failover: "60s 60s 300ms\n\t\t\tmax_attempts 1", first: slow, others: true, status: 200, seller: "first", least: 2 * short},
		{name: "the original's variable", env: "300", first: hangs, others: true, status: 200, seller: "second", least: short},
		{name: "the original's variable, streamed", env: "300", first: hangs, others: true, streamed: true, status: 200, seller: "second", least: short},
		{name: "the original's variable and nobody else", env: "300", first: hangs, streamed: true, status: 504, seller: "first", least: short},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			first := s.seller("first", row.first, "m")
			if row.others {
				s.seller("second", good, "m")
			}
			body := "\t\taffinity off\n\t\tfailover {\n\t\t\tretries 0\n\t\t\tcooldown 1ms\n\t\t}\n"
			if row.failover != "" {
				body = "\t\taffinity off\n" + fmt.Sprintf(site, row.failover)
			}
			s.prepare(body)
			if row.env != "" {
				s.env = []string{"TB_PROXYD_REQUEST_DEADLINE_MS=" + row.env}
			}
			s.start()
			for _, q := range speeches {
				asked := len(first.inferences())
				begun := time.Now()
				stream := &question{speech: q, mark: "even", stream: row.streamed}
				a := s.ask(0, "POST", q.path, stream.request("m"))
				took := time.Since(begun)
				if a.StatusCode != row.status || a.Header.Get("X-TokenBuddy-Seller") != row.seller || took < row.least || took > row.least+patience {
					t.Errorf("%s: status %d by %s after %s: %s", q.api, a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), took, a.body)
				}
				if n := len(first.inferences()) - asked; n != 1 {
					t.Errorf("%s: the first seller was asked %d times", q.api, n)
				}
			}
		})
	}
}

// TestDeadlineOfSeller has a pinned seller with a deadline of its own: it is given that time, streamed and not, and others theirs.
func TestDeadlineOfSeller(t *testing.T) {
	t.Parallel()
	slow := func(w http.ResponseWriter, r *http.Request, body []byte) {
		await(r, 2500*time.Millisecond)
		(&question{speech: speechOf(r.URL.Path), mark: "even", stream: isStream(body)}).serve(w, fmt.Sprint(time.Now().UnixNano()))
	}
	good := newSeller(t, "good", func(w http.ResponseWriter, r *http.Request, body []byte) {
		(&question{speech: speechOf(r.URL.Path), mark: "even", stream: isStream(body)}).serve(w, fmt.Sprint(time.Now().UnixNano()))
	})
	c := newCaddy(t, "")
	config := "\t\tpayment mock\n\t\taffinity off\n\t\tfailover {\n\t\t\tretries 0\n\t\t\tcooldown 1ms\n\t\t\tdeadline 1s 1s\n\t\t}\n"
	models := []string{"patient"}
	for i := range 2 * len(speeches) {
		models = append(models, fmt.Sprint("hasty", i)) // one for each request, which has not failed before
	}
	for _, id := range models {
		own := ""
		if id == "patient" {
			own = "deadline 60s"
		}
		seller := newSeller(t, id, slow)
		config += fmt.Sprintf("\t\tseller %s %s/v1 {\n\t\t\tpayment mock\n\t\t\tmodels %s\n\t\t\t%s\n\t\t}\n", id, seller.URL, id, own)
	}
	config += fmt.Sprintf("\t\tseller good %s {\n\t\t\tpayment mock\n\t\t\tmodels %s\n\t\t}\n", good.URL, strings.Join(models, " "))
	c.configure(config)
	c.start()
	s := &stage{caddy: c, t: t, sites: []string{c.site}}
	var all sync.WaitGroup
	for i, q := range speeches {
		for j, stream := range []bool{true, false} {
			ask := &question{speech: q, mark: "even", stream: stream}
			all.Go(func() {
				a := s.ask(0, "POST", q.path, ask.request("patient"))
				if a.StatusCode != 200 || a.Header.Get("X-TokenBuddy-Seller") != "patient" {
					t.Errorf("%s, stream %t: status %d by %s", q.api, stream, a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"))
				}
			})
			a := s.ask(0, "POST", q.path, ask.request(models[1+2*i+j]))
			if want := map[bool]int{true: 200, false: 504}[stream]; a.StatusCode != want {
				t.Errorf("%s, stream %t: status %d by %s", q.api, stream, a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"))
			}
		}
	}
	all.Wait()
	s.verify()
}

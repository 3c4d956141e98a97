package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSellersRest has a seller ask to be left alone: until then the requests go to others. Where there is no other, they wait
// for it if that is not long, and else the client hears when it may come again; the seller is left alone all the same.
func TestSellersRest(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	busy := s.seller("busy", inTurn(with(sayJSON(429, `{}`), "Retry-After", "300"), answerPlain), "m")
	alone := s.seller("alone", inTurn(with(sayJSON(503, `{}`), "Retry-After", "300"), answerPlain), "alone")
	s.seller("minute", inTurn(with(sayJSON(503, `{}`), "Retry-After", "50"), answerPlain), "minute")
	soon := s.seller("soon", inTurn(with(sayJSON(429, `{}`), "Retry-After", "2"), answerPlain), "soon")
	s.seller("other", answerPlain, "m")
	s.open("\t\taffinity off\n", "\t\tfailover {\n\t\t\tmax_attempts 1\n\t\t}\n")
	for range 3 {
		a := s.infer("", "m", "")
		if n := len(busy.inferences()); a.StatusCode != 200 || a.Header.Get("X-TokenBuddy-Seller") != "other" || n != 1 {
			t.Errorf("status %d by %s, and the resting one was asked %d times", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), n)
		}
	}
	if a := s.infer("", "alone", ""); a.StatusCode != 503 || a.body != `{}` || a.Header.Get("Retry-After") != "300" {
		t.Errorf("status %d, %v: %s", a.StatusCode, a.Header, a.body)
	}
	rests := time.Now()
	s.infer("", "minute", "")
	until := time.Now().UTC().Add(300 * time.Second)
	for _, members := range []string{"", `"stream":true,`} {
		a := s.infer("", "alone", members)
		// Some clients sleep for as long as they are told, in silence: past a minute they are told in words alone.
		if a.StatusCode != 503 || a.Header.Get("Retry-After") != "" || a.Header.Get("X-Should-Retry") != "false" ||
			!strings.Contains(a.body, "until "+until.Format("15:04")) && !strings.Contains(a.body, "until "+until.Add(time.Minute).Format("15:04")) ||
			a.Header.Get("X-TokenBuddy-Attempts") != "" {
			t.Errorf("status %d, %v: %s", a.StatusCode, a.Header, a.body)
		}
		a = s.infer("", "minute", members)
		wait, err := strconv.Atoi(a.Header.Get("Retry-After"))
		if a.StatusCode != 503 || err != nil || wait < 49-int(time.Since(rests).Seconds()) || wait > 50 || a.Header.Get("X-Should-Retry") != "" {
			t.Errorf("status %d, %v: %s", a.StatusCode, a.Header, a.body)
		}
	}
	if n := len(alone.inferences()); n != 1 {
		t.Errorf("a seller that wants to be left alone for 300 seconds was asked %d times", n)
	}

	begun := time.Now()
	if a := s.ask(1, "POST", "/v1/chat/completions", chatOf("soon", "")); a.StatusCode != 429 {
		t.Errorf("status %d: %s", a.StatusCode, a.body)
	}
	var all sync.WaitGroup
	for range 3 { // they come while it rests
		all.Go(func() {
			if a := s.ask(1, "POST", "/v1/chat/completions", chatOf("soon", "")); a.StatusCode != 200 || a.Header.Get("X-TokenBuddy-Attempts") != "1" {
				t.Errorf("status %d after %s attempts: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Attempts"), a.body)
			}
		})
	}
	all.Wait()
	if took := time.Since(begun); took < 2*time.Second || took > 20*time.Second {
		t.Errorf("a rest of 2 seconds was waited out in %s", took)
	}
	if n := len(soon.inferences()); n != 4 {
		t.Errorf("it was asked %d times for 4 requests", n)
	}
	s.verify()
}

// TestRestIsProlonged has a request wait for its only seller, which then asks another one to wait for longer: the first waits
// on, and does not come to nothing.
func TestRestIsProlonged(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	arrived, told := make(chan struct{}), make(chan struct{})
	rests := func(seconds string) handler { return with(sayJSON(429, `{}`), "Retry-After", seconds) }
	seller := s.seller("only", inTurn(
		answerPlain,
		func(w http.ResponseWriter, r *http.Request, body []byte) {
			<-arrived // both are under way
			rests("1")(w, r, body)
			close(told)
		},
		func(w http.ResponseWriter, r *http.Request, body []byte) {
			close(arrived)
			<-told
			rests("3")(w, r, body)
		},
		answerPlain,
	), "m")
	s.open("")
	if a := s.infer("first", "m", ""); a.StatusCode != 200 {
		t.Fatalf("status %d: %s", a.StatusCode, a.body)
	}
	var both sync.WaitGroup
	begun := time.Now()
	for range 2 {
		both.Go(func() {
			if a := s.infer("", "m", ""); a.StatusCode != 200 || a.Header.Get("X-TokenBuddy-Attempts") != "2" {
				t.Errorf("status %d after %s attempts: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Attempts"), a.body)
			}
		})
	}
	both.Wait()
	if took := time.Since(begun); took < 3*time.Second {
		t.Errorf("served after %s", took)
	}
	if n := len(seller.inferences()); n != 5 {
		t.Errorf("asked %d times", n)
	}
	s.verify()
}

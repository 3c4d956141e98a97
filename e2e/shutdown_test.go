package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// terminate asks Caddy to end, as a service manager does.
func (c *caddy) terminate() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Skipf("no such signal here: %v", err)
	}
	eventually(c.t, "Caddy begins to exit", func() bool { return c.log.has("exiting; byeee") })
}

// ended waits until Caddy has ended, which must be well, and gives how long that took.
func (c *caddy) ended(asked time.Time) (took time.Duration) {
	c.t.Helper()
	within(c.t, "the end of the process", c.exited)
	took = time.Since(asked)
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		c.t.Errorf("exit code %d:\n%s", code, c.log)
	}
	c.log.forget("serving initial configuration")
	c.log.forget("exiting; byeee")
	return took
}

// inTime has measured how long something takes, and again where that was too long: once it may be the machine's fault, which has other work to
// do, and not each time.
func inTime(t testing.TB, limit time.Duration, what string, measure func() time.Duration) {
	t.Helper()
	for try := 1; ; try++ {
		took := measure()
		t.Logf("%s within %s", what, took.Round(time.Millisecond))
		if took <= limit || raced || t.Failed() {
			return
		}
		if try == 6 {
			t.Errorf("%s within %s, for the %dth time more than %s", what, took, try, limit)
			return
		}
	}
}

// endedStuck is ended of a process in which a guest never returns: it must not wait for that. How long it waits is held to the second by the tests
// of those who call guests.
func (c *caddy) endedStuck(asked time.Time) {
	c.t.Helper()
	c.t.Logf("the process ended %s after it was asked to", c.ended(asked).Round(time.Millisecond))
}

// processEnds is what takes the time in tests of shutdowns.
const processEnds = "the process ends"

// How long the process may take to end. Without a grace period streams go on for 3 s, and a service manager kills after 5;
// with one it must be over by then.
const (
	graceless = 4500 * time.Millisecond
	graceOf3s = 3 * time.Second
	graceOf2s = 2 * time.Second
)

// TestShutdown ends Caddy while a stream is open: the client has what came, an error event in its API's shape and an aborted
// connection, and the books were closed before the process went.
func TestShutdown(t *testing.T) {
	t.Parallel()
	for name, try := range map[string]struct {
		global, path, begins, breaks string
		reload                       bool
		limit                        time.Duration
	}{
		"chat":                      {"", "/v1/chat/completions", roleEvent + textEvent("Hi"), "data: {\"error\":", false, graceless},
		"chat, of an older config":  {"\tgrace_period 2s\n", "/v1/chat/completions", roleEvent + textEvent("Hi"), "data: {\"error\":", true, graceOf2s},
		"messages, with grace":      {"\tgrace_period 3s\n", "/v1/messages", messagesBegun, "event: error\ndata: {\"type\":\"error\"", false, graceOf3s},
		"responses, with grace":     {"\tgrace_period 3s\n", "/v1/responses", responsesBegun, "event: error\ndata: {\"type\":\"error\"", false, graceOf3s},
		"responses, before content": {"\tgrace_period 2s\n", "/v1/responses", "", "", false, graceOf2s},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTime(t, try.limit, processEnds, func() time.Duration {
				s := newScript()
				seller := newSeller(t, "acme", s.answer)
				registry := registryOf(t, []string{"m"}, seller)
				c := newCaddy(t, "")
				config := func(more string) string { return c.global(try.global) + siteOf(c.site, market(registry, more)) }
				c.write(config(""))
				c.start()
				if try.begins == "" {
					return shutdownBeforeContent(t, c, s, try.path)
				}
				res := c.open(try.path, sayAndGo(t, s, try.begins))
				readUntil(t, res.Body, try.begins)
				if try.reload {
					c.write(config("\t\tfailover {\n\t\t\tmax_attempts 2\n\t\t}\n"))
					c.reload()
				}
				asked := time.Now()
				c.terminate()
				assertBrokenOff(t, res, try.breaks)
				within(t, "the end of the seller's call", s.left)
				took := c.ended(asked)

				c.start()
				if e := c.oneEntry(); e.Status != "interrupted" || e.BilledMicros <= 0 || strings.Contains(strings.Join(e.Flags, " "), "recovered") {
					t.Errorf("booked: %+v", e)
				}
				c.stop()
				return took
			})
		})
	}
}

// shutdownBeforeContent ends Caddy while a seller has not begun its stream: the client is told so in the API's shape.
func shutdownBeforeContent(t *testing.T, c *caddy, s *script, path string) (took time.Duration) {
	answered := make(chan *http.Response, 1)
	go func() {
		res, err := c.send(t.Context(), path, streamBody)
		if err != nil {
			t.Error(err)
			close(answered)
			return
		}
		answered <- res
	}()
	within(t, "the request at the seller", s.asked)
	asked := time.Now()
	c.terminate()
	res, ok := <-answered
	if !ok {
		t.FailNow()
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode < 500 || res.Header.Get("Retry-After") == "" || !strings.Contains(string(body), `"error"`) ||
		!strings.Contains(string(body), "This gateway is being restarted.") || res.Header.Get("X-Should-Retry") != "" {
		t.Errorf("status %d, %v, %v: %s", res.StatusCode, res.Header, err, body)
	}
	took = c.ended(asked)
	c.start()
	if e := c.oneEntry(); e.Status != "failed" {
		t.Errorf("booked: %+v", e)
	}
	c.stop()
	return took
}

// endsDuring asks, ends Caddy once the request is at what it waits for, and gives the answer, and how long the process took to end.
func (c *caddy) endsDuring(what string, there <-chan struct{}) (res *http.Response, body []byte, took time.Duration) {
	c.t.Helper()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		res, body, _ = fetch(http.DefaultClient, c.url("/v1/chat/completions"), chatBody)
	}()
	within(c.t, what, there)
	begun := time.Now()
	c.terminate()
	within(c.t, "an answer", answered)
	took = c.ended(begun)
	return res, body, took
}

// TestShutdownUnstreamed ends Caddy while a request that is not streamed waits for a seller that takes its time: a service
// manager would kill the process, so the client is told in time.
func TestShutdownUnstreamed(t *testing.T) {
	t.Parallel()
	inTime(t, graceOf2s, processEnds, func() time.Duration {
		asked := make(chan struct{}, 1)
		s := newSeller(t, "acme", func(_ http.ResponseWriter, r *http.Request, _ []byte) {
			asked <- struct{}{}
			<-r.Context().Done()
		})
		other := newSeller(t, "other", answerPlain)
		c := newCaddy(t, "")
		c.write(c.global("\tgrace_period 2s\n") + siteOf(c.site, market(registryOf(t, []string{"m"}, s, other), "")))
		c.start()
		res, body, took := c.endsDuring("the request at the seller", asked)
		if res == nil || res.StatusCode < 500 || res.Header.Get("Retry-After") == "" {
			t.Errorf("answer: %+v %s", res, body)
		}
		if n := len(other.inferences()) + other.purchases(); n != 0 {
			t.Errorf("another seller was asked or bought from %d times", n)
		}
		c.start()
		if e := c.oneEntry(); e.Status != "failed" {
			t.Errorf("booked: %+v", e)
		}
		return took
	})
}

// TestShutdownInTheBody ends Caddy while a client has sent a part of its request's body and sends no more: the process does not wait for
// the rest.
func TestShutdownInTheBody(t *testing.T) {
	t.Parallel()
	inTime(t, graceless, processEnds, func() time.Duration {
		c := newCaddy(t, "")
		c.write(c.global("") + siteOf(c.site, market(registryOf(t, []string{"m"}, newSeller(t, "acme", answerPlain)), "")))
		c.start()
		conn, err := net.Dial("tcp", c.site)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		answers := bufio.NewReader(conn)
		fmt.Fprintf(conn, "POST /v1/messages HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n", c.site)
		if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") { // somebody reads now
			t.Fatalf("%v: %q", err, line)
		}
		_, _ = answers.ReadString('\n')
		_, _ = io.WriteString(conn, `{"model":`)
		begun := time.Now()
		c.terminate()
		// A process that waits for the rest would do so for ever.
		_ = conn.SetDeadline(begun.Add(3 * graceless))
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Errorf("no answer: %v", err)
		} else if body, _ := io.ReadAll(res.Body); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(string(body), `"message":"This gateway is being restarted."`) {
			t.Errorf("status %d, %v: %s", res.StatusCode, res.Header, body)
		}
		_ = conn.Close()
		return c.ended(begun)
	})
}

// TestShutdownWaitsForSettlement ends Caddy after a client has had its stream and before the seller has settled: the process
// goes when the settlement is in, and it is booked. That holds for a stream of a config that is gone, too.
func TestShutdownWaitsForSettlement(t *testing.T) {
	t.Parallel()
	for name, reload := range map[string]bool{"of this config": false, "of an older config": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTime(t, 2*time.Second, processEnds, func() time.Duration {
				s := newScript()
				seller := newSeller(t, "acme", s.answer)
				registry := registryOf(t, []string{"m"}, seller)
				c := newCaddy(t, "")
				c.configure(market(registry, ""))
				c.start()
				if _, body := c.post("/v1/chat/completions", sayAndGo(t, s, shortStream)); string(body) != shortStream {
					t.Fatalf("got %q", body)
				}
				if reload {
					c.configure(market(registry, "\t\tfailover {\n\t\t\tmax_attempts 2\n\t\t}\n"))
					c.reload()
				}
				asked := time.Now()
				c.terminate()
				select {
				case <-c.exited:
					t.Fatalf("the process did not wait for the settlement:\n%s", c.log)
				case <-time.After(700 * time.Millisecond): // more than it takes to end otherwise
				}
				s.say(t, settlementEvent(seller.last().Header, 77))
				took := c.ended(asked)
				c.start()
				if e := c.oneEntry(); e.Status != "ok" || e.BilledMicros != 77 || e.BilledSource != "settlement" {
					t.Errorf("booked: %+v", e)
				}
				c.stop()
				return took
			})
		})
	}
}

// TestShutdownGivesUpOnSettlement has the settlement not come at all: the process does not wait longer for it than for a stream, and books
// what it knows.
func TestShutdownGivesUpOnSettlement(t *testing.T) {
	t.Parallel()
	inTime(t, graceOf2s, processEnds, func() time.Duration {
		s := newScript()
		c := newCaddy(t, "")
		c.write(c.global("\tgrace_period 2s\n") + siteOf(c.site, market(registryOf(t, []string{"m"}, newSeller(t, "acme", s.answer)), "")))
		c.start()
		if _, body := c.post("/v1/chat/completions", sayAndGo(t, s, shortStream)); string(body) != shortStream {
			t.Fatalf("got %q", body)
		}
		asked := time.Now()
		c.terminate()
		took := c.ended(asked)
		c.start()
		if e := c.oneEntry(); e.Status != "ok" || e.BilledMicros <= 0 || strings.Contains(strings.Join(e.Flags, " "), "recovered") {
			t.Errorf("booked: %+v", e)
		}
		return took
	})
}

// TestShutdownWithStalledClient ends Caddy while a client does not read its stream, so that the gateway's writing is stuck: that
// keeps the process no longer than a stream that flows.
func TestShutdownWithStalledClient(t *testing.T) {
	t.Parallel()
	inTime(t, graceOf2s, processEnds, func() time.Duration {
		var sent atomic.Int64
		s := newSeller(t, "acme", func(w http.ResponseWriter, r *http.Request, _ []byte) {
			w.Header().Set("Content-Type", "text/event-stream")
			for event := textEvent(strings.Repeat("x", 10_000)); r.Context().Err() == nil; sent.Add(1) {
				if _, err := io.WriteString(w, event); err != nil {
					return
				}
			}
		})
		c := newCaddy(t, "")
		c.write(c.global("\tgrace_period 2s\n") + siteOf(c.site, market(registryOf(t, []string{"m"}, s), "")))
		c.start()
		c.open("/v1/chat/completions", streamBody)
		before, still := int64(0), 0
		eventually(t, "all buffers are full", func() bool {
			now := sent.Load()
			if still++; now != before || now == 0 {
				before, still = now, 0
			}
			return still == 10
		})
		asked := time.Now()
		c.terminate()
		took := c.ended(asked)
		c.start()
		if e := c.oneEntry(); e.Status != "interrupted" || e.BilledMicros <= 0 || strings.Contains(strings.Join(e.Flags, " "), "recovered") {
			t.Errorf("booked: %+v", e)
		}
		return took
	})
}

// TestShutdownWithStalledAnswer is TestShutdownWithStalledClient for an answer that is no stream: one that is read whole before it is sent, and one
// that flows on as it comes.
func TestShutdownWithStalledAnswer(t *testing.T) {
	t.Parallel()
	for _, size := range []int{7 << 20, 20 << 20} {
		inTime(t, graceless, processEnds, func() time.Duration {
			s := newSeller(t, "acme", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, strings.TrimSuffix(plainAnswer, "}")+`,"more":"`+strings.Repeat("x", size)+`"}`)
			})
			c := newCaddy(t, "")
			c.write(c.global("") + siteOf(c.site, market(registryOf(t, []string{"m"}, s), "")))
			c.start()
			conn, err := net.Dial("tcp", c.site)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", c.site, len(chatBody), chatBody)
			if line, err := bufio.NewReaderSize(conn, 16).ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") { // and nothing more
				t.Fatalf("%v: %q", err, line)
			}
			asked := time.Now()
			c.terminate()
			took := c.ended(asked)
			c.start()
			if e := c.oneEntry(); e.BilledMicros <= 0 || strings.Contains(strings.Join(e.Flags, " "), "recovered") {
				t.Errorf("booked: %+v", e)
			}
			c.stop()
			return took
		})
	}
}

// TestShutdownInThePurchase ends Caddy while a request waits for a token: its client is told that the process ends, and not that nobody could be
// paid.
func TestShutdownInThePurchase(t *testing.T) {
	t.Parallel()
	buying := make(chan struct{}, 8)
	s := newSeller(t, "acme", answerPlain)
	s.buying = func(r *http.Request) {
		buying <- struct{}{}
		<-r.Context().Done()
	}
	c := newCaddy(t, "")
	c.write(c.global("\tgrace_period 2s\n") + siteOf(c.site, market(registryOf(t, []string{"m"}, s), "")))
	c.start()
	res, body, _ := c.endsDuring("the purchase", buying)
	if res == nil || res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(string(body), `"message":"This gateway is being restarted."`) {
		t.Errorf("answer: %+v %s", res, body)
	}
}

// TestShutdownWithoutDirectory takes the ledger's directory away from a gateway: the process ends all the same, and says what was wrong.
func TestShutdownWithoutDirectory(t *testing.T) {
	t.Parallel()
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, newSeller(t, "acme", answerPlain)), ""))
	c.start()
	if res, body := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", res.StatusCode, body)
	}
	if err := os.RemoveAll(c.ledgerDir()); err != nil {
		t.Skipf("a directory that is in use can't be removed here: %v", err)
	}
	c.stop()
	if !c.log.has("its directory takes no files any more") {
		t.Errorf("it is not said what was wrong:\n%s", c.log)
	}
}

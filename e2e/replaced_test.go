package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// counted notes the paths of all that comes to a seller.
type counted struct {
	inner http.Handler
	mu    sync.Mutex // protects paths
	paths []string
}

func count(s *fakeSeller) *counted {
	c := &counted{inner: s.Config.Handler}
	s.Config.Handler = c
	return c
}

func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.paths = append(c.paths, r.URL.Path)
	c.mu.Unlock()
	c.inner.ServeHTTP(w, r)
}

func (c *counted) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.paths...)
}

// slowRequest has sent the head of a request and one byte of its body.
type slowRequest struct {
	t    *testing.T
	conn net.Conn
	rest string
}

func (c *caddy) slowly(t *testing.T, id, body string) *slowRequest {
	t.Helper()
	conn, err := net.Dial("tcp", c.site)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nX-Request-Id: %s\r\nContent-Length: %d\r\n\r\n%s",
		c.site, id, len(body), body[:1])
	eventually(t, "the request "+id, func() bool { return c.log.has(id) })
	return &slowRequest{t, conn, body[1:]}
}

// finish sends the rest of the body and gives the answer's status.
func (s *slowRequest) finish() int {
	s.t.Helper()
	if _, err := io.WriteString(s.conn, s.rest); err != nil {
		s.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(s.conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// TestReplacedConfigLetsGo takes a seller out of the config while a stream of its is open, and requests are still on their way
// in. The stream goes on to its end, and nothing else goes to that seller any more: no probe, no purchase, no request. What
// can be served by another is.
func TestReplacedConfigLetsGo(t *testing.T) {
	t.Parallel()
	s := newScript()
	gone, stays := newSeller(t, "gone", s.answer), newSeller(t, "stays", answerPlain)
	only := newSeller(t, "only", answerPlain) // it goes as well, and has not been bought from
	toGone, toStays, toOnly := count(gone), count(stays), count(only)
	listed := func(id string, s *fakeSeller, models ...string) string {
		return "\t\tseller " + id + " " + s.URL + " {\n\t\t\tmodels " + strings.Join(models, " ") + "\n\t\t\tpayment mock\n\t\t}\n"
	}
	const warm = "\t\tpayment mock\n\t\tprewarm {\n\t\t\tmodels m n\n\t\t\tinterval 50ms\n\t\t\tjitter 1ms 2ms\n\t\t}\n"
	c := newCaddy(t, "")
	c.write(c.global("") + siteOf(c.site, warm+listed("gone", gone, "m")+listed("stays", stays, "m")+listed("only", only, "n")))
	c.start()
	res := c.open("/v1/chat/completions", sayAndGo(t, s, roleEvent+textEvent("one")))
	got := readUntil(t, res.Body, textEvent("one"))
	probed := func(c *counted) func() bool {
		from := len(c.all())
		return func() bool { return len(c.all()) >= from+5 }
	}
	for _, seller := range []*counted{toGone, toOnly} {
		eventually(t, "probes", probed(seller))
	}
	served, refused := c.slowly(t, "slow-served", chatBody), c.slowly(t, "slow-refused", chatOf("n", ""))

	c.write(c.global("") + siteOf(c.site, warm+listed("stays", stays, "m")))
	c.reload()
	before, beforeOnly := len(toGone.all()), len(toOnly.all())
	eventually(t, "sweeps after the reload", probed(toStays))
	if status := served.finish(); status != http.StatusOK {
		t.Errorf("a request that another seller can serve: status %d", status)
	}
	if status := refused.finish(); status != http.StatusServiceUnavailable {
		t.Errorf("a request for what none has any more: status %d", status)
	}
	eventually(t, "more sweeps", probed(toStays))
	if paths := toGone.all()[before:]; len(paths) > 0 {
		t.Errorf("after the reload the seller that is gone got %v", paths)
	}
	if paths := toOnly.all()[beforeOnly:]; len(paths) > 0 || only.purchases() > 0 {
		t.Errorf("after the reload the other one got %v", paths)
	}
	s.say(t, textEvent("two"))
	s.say(t, settlementEvent(gone.last().Header, 77))
	s.say(t, endEvents)
	close(s.send)
	rest, err := io.ReadAll(res.Body)
	if want := roleEvent + textEvent("one") + textEvent("two") + endEvents; err != nil || got+string(rest) != want {
		t.Errorf("%v after %q", err, got+string(rest))
	}
	eventually(t, "both entries", func() bool { return len(c.entries("inference")) == 2 })
	c.verify()
}

// TestLogsFollowConfig has the events of the gateway go to a log of their own, and no others to it: those too of what outlives a
// config, which go to the newest one's.
func TestLogsFollowConfig(t *testing.T) {
	t.Parallel()
	first, second := newSeller(t, "first", answerPlain), newSeller(t, "second", answerPlain)
	c := newCaddy(t, "")
	file := func(name string) string { return filepath.Join(c.dir, name) }
	config := func(name string) string {
		return c.global("\tlog {\n\t\texclude tokenbuddy\n\t}\n\tlog ours {\n\t\toutput file "+file(name)+"\n\t\tinclude tokenbuddy\n\t\tlevel INFO\n\t}\n") +
			siteOf(c.site, "\t\tpayment mock\n\t\tprewarm {\n\t\t\toff\n\t\t}\n\t\tseller first "+first.URL+" {\n\t\t\tmodels a\n\t\t\tpayment mock\n\t\t}\n"+
				"\t\tseller second "+second.URL+" {\n\t\t\tmodels b\n\t\t\tpayment mock\n\t\t}\n")
	}
	read := func(name string) string {
		b, err := os.ReadFile(file(name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	c.write(config("one.log"))
	c.start()
	if res, body := c.post("/v1/chat/completions", chatOf("a", "")); res.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", res.StatusCode, body)
	}
	c.write(config("two.log"))
	c.reload()
	if res, body := c.post("/v1/chat/completions", chatOf("b", "")); res.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", res.StatusCode, body)
	}
	const bought = "purchase.token.succeeded"
	one, two := read("one.log"), read("two.log")
	for name, got := range map[string]int{
		"first in one.log": strings.Count(one, `"seller":"first"`), "second in two.log": strings.Count(two, `"seller":"second"`),
		"purchases in one.log": strings.Count(one, bought), "purchases in two.log": strings.Count(two, bought),
		"prewarm in one.log": strings.Count(one, "prewarm.startup.skipped"), "prewarm in two.log": strings.Count(two, "prewarm.startup.skipped"),
	} {
		if got != 1 {
			t.Errorf("%s: %d times, want once\none.log:\n%s\ntwo.log:\n%s", name, got, one, two)
		}
	}
	for _, event := range []string{bought, "prewarm.startup.skipped"} {
		if c.log.has(event) {
			t.Errorf("%s is in the log that excludes it", event)
		}
	}
}

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestReloadKeepsStreams has the config change while a stream is open: it ends whole and is booked once. A grace period is for
// the end of the process, and does not change that.
func TestReloadKeepsStreams(t *testing.T) {
	for name, global := range map[string]string{"no grace period": "", "grace period": "\tgrace_period 100ms\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript()
			seller := newSeller(t, "acme", s.answer)
			registry := registryOf(t, []string{"m"}, seller)
			c := newCaddy(t, "")
			c.write(c.global(global) + siteOf(c.site, market(registry, "")))
			c.start()
			res := c.open("/v1/chat/completions", sayAndGo(t, s, roleEvent+textEvent("one")))
			got := readUntil(t, res.Body, textEvent("one"))
			for attempts := range 3 {
				c.write(c.global(global) + siteOf(c.site, market(registry, fmt.Sprintf("\t\tfailover {\n\t\t\tmax_attempts %d\n\t\t}\n", 2+attempts))))
				c.reload()
				if global != "" {
					eventually(t, "the end of the grace period", func() bool { return c.log.has("graceful shutdown") })
				}
				s.say(t, textEvent(fmt.Sprint(attempts)))
				got += readUntil(t, res.Body, textEvent(fmt.Sprint(attempts)))
			}
			s.say(t, settlementEvent(seller.last().Header, 77))
			s.say(t, endEvents)
			close(s.send)
			rest, err := io.ReadAll(res.Body)
			if want := roleEvent + textEvent("one") + textEvent("0") + textEvent("1") + textEvent("2") + endEvents; err != nil || got+string(rest) != want {
				t.Errorf("%v after %q", err, got+string(rest))
			}
			if e := c.oneEntry(); e.Status != "ok" || e.BilledMicros != 77 || e.BilledSource != "settlement" {
				t.Errorf("booked: %+v", e)
			}
			c.stop()
			c.start() // what an old config has booked late is in the same ledger
			if e := c.oneEntry(); e.Status != "ok" || seller.purchases() != 1 {
				t.Errorf("after a restart: %+v, %d purchases", e, seller.purchases())
			}
		})
	}
}

// TestReloadLosesNothing has requests come without a pause while the config is changed five times. All that reach the gateway
// are served, each is booked once, and the token outlives every config.
//
// While Caddy hands its listener over, connections that were just being made may be reset: the kernel does it to those that
// were not accepted, and net/http to those it was about to read. It is so with any handler, none gets to see such a request,
// and here they are counted apart: neither gateway nor seller may know of them.
func TestReloadLosesNothing(t *testing.T) {
	seller := newSeller(t, "acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		await(r, rand.N(40*time.Millisecond)) // so that some are always in flight
		answerPlain(w, r, body)
	})
	registry := registryOf(t, []string{"m"}, seller)
	c := newCaddy(t, "")
	c.configure(market(registry, ""))
	c.start()
	done := make(chan struct{})
	var served atomic.Int64
	var unread sync.Map // ids of requests whose connection was reset
	var wg sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for worker := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				id := fmt.Sprintf("%d-%d", worker, n)
				res, body, err := fetch(client, c.url("/v1/chat/completions"), chatBody, "X-Request-Id", id)
				switch {
				case res == nil:
					unread.Store(id, err)
				case err != nil || res.StatusCode != http.StatusOK || string(body) != plainAnswer:
					t.Errorf("status %d, %v: %s", res.StatusCode, err, body)
					return
				default:
					served.Add(1)
				}
			}
		})
	}
	for i := range 5 {
		before := served.Load()
		c.configure(market(registry, fmt.Sprintf("\t\tfailover {\n\t\t\tmax_attempts %d\n\t\t}\n", 2+i)))
		c.reload()
		eventually(t, "ten more answers", func() bool { return served.Load() >= before+10 || t.Failed() })
	}
	close(done)
	wg.Wait()

	lost := 0
	known := make(map[string]int)
	for _, e := range c.entries("inference") {
		known[e.RequestID]++
	}
	for id, n := range known {
		if n != 1 {
			t.Errorf("request %s is booked %d times", id, n)
		}
	}
	for _, asked := range seller.inferences() {
		known[asked.Header.Get("X-Request-Id")]++
	}
	unread.Range(func(id, err any) bool {
		lost++
		if known[id.(string)] != 0 {
			t.Errorf("request %s was lost after a handler had seen it: %v", id, err)
		}
		return true
	})
	t.Logf("%d requests during 5 reloads; %d connections reset before a handler saw them", served.Load(), lost)
	if int64(len(known)) != served.Load() {
		t.Errorf("%d answers, %d requests known", served.Load(), len(known))
	}
	if n := seller.purchases(); n != 1 {
		t.Errorf("%d purchases, want 1", n)
	}
	c.verify()
}

// fetch posts a JSON body and reads the answer to its end. Without an answer there is no response.
func fetch(client *http.Client, url, body string, header ...string) (*http.Response, []byte, error) {
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res, b, err
}

// TestSitesShareLedger has two sites name the same directory: one purchase serves both, and both are in the same books.
func TestSitesShareLedger(t *testing.T) {
	s := newSeller(t, "acme", answerPlain)
	registry := registryOf(t, []string{"m"}, s)
	c := newCaddy(t, "")
	second := freeAddress(t)
	both := func(secondPurchase string) string {
		return c.global("") + siteOf(c.site, market(registry, "\t\tledger badger "+c.dir+"/books\n\t\tpurchase {\n\t\t\tamount 4\n\t\t}\n")) +
			siteOf(second, market(registry, "\t\tledger badger "+c.dir+"/./books\n\t\tpurchase {\n\t\t\tamount "+secondPurchase+"\n\t\t}\n"))
	}
	c.write(both("4"))
	c.start()
	for range 2 {
		for _, site := range []string{c.site, second} {
			res, err := http.Post("http://"+site+"/v1/chat/completions", "application/json", strings.NewReader(chatBody))
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Fatalf("%s: status %d", site, res.StatusCode)
			}
		}
		c.reload() // "unchanged" is no change: this loads nothing
	}
	if n := len(c.entries("inference")); n != 4 || s.purchases() != 1 {
		t.Errorf("%d entries and %d purchases, want 4 and 1", n, s.purchases())
	}
	c.verify()

	c.write(both("3"))
	if out, err := c.tryReload(); err == nil || !strings.Contains(out, "but not the limits") {
		t.Errorf("sites that disagree on the limits of one ledger: %v, %s", err, out)
	}
	if res, _ := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK || len(c.entries("inference")) != 5 {
		t.Errorf("after the refused reload: status %d", res.StatusCode)
	}
	if _, err := os.Stat(c.ledgerDir()); err == nil {
		t.Error("a ledger is where no site wants one")
	}
}

// siteOf is a site with this body of the tokenbuddy directive.
func siteOf(address, tokenbuddy string) string {
	return fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy {\n%s\n\t}\n}\n", address, tokenbuddy)
}

// TestReloadRefused has the new config be one that can't run. The old one goes on serving, streams too, and what the new one
// had begun is given back.
func TestReloadRefused(t *testing.T) {
	s := newScript()
	streaming, plain := newSeller(t, "streaming", s.answer), newSeller(t, "plain", answerPlain)
	streams, plains := registryOf(t, []string{"m"}, streaming), registryOf(t, []string{"n"}, plain)
	c := newCaddy(t, "")
	old := c.global("") + siteOf(c.site, market(streams, "")) + siteOf(freeAddress(t), market(plains, ""))
	c.write(old)
	c.start()
	res := c.open("/v1/chat/completions", sayAndGo(t, s, roleEvent+textEvent("one")))
	got := readUntil(t, res.Body, textEvent("one"))

	file := filepath.Join(c.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := freeAddress(t)
	for what, refused := range map[string]struct{ config, says string }{
		"a ledger where a file is": {
			siteOf(c.site, market(streams, "")) + siteOf(other, market(plains, "\t\tledger badger "+file+"/x\n")), file,
		},
		"another key for the ledger": {
			siteOf(c.site, market(streams, "\t\tledger badger {\n\t\t\tkey not-the-key-of-before-4711\n\t\t}\n")), "key",
		},
		"limits that disagree": {
			siteOf(c.site, market(streams, "")) + siteOf(other, market(plains, "\t\tpurchase {\n\t\t\tdaily_limit 1\n\t\t}\n")), "limits",
		},
		"a word that is unknown": {siteOf(c.site, market(streams, "\t\tnonsense\n")), "nonsense"},
	} {
		c.write(c.global("") + refused.config)
		if out, err := c.tryReload(); err == nil || !strings.Contains(out, refused.says) {
			t.Errorf("%s: %v, %s", what, err, out)
		}
	}
	s.say(t, endEvents)
	close(s.send)
	rest, err := io.ReadAll(res.Body)
	if want := roleEvent + textEvent("one") + endEvents; err != nil || got+string(rest) != want {
		t.Errorf("%v after %q", err, got+string(rest))
	}
	c.oneEntry()
	c.write(old)
	c.reload() // the directories of the refused configs are free, and the one in use is as it was
	c.stop()
	c.start()
	c.oneEntry()
}

// TestValidateBesideServer has `caddy validate` look at configs while the server runs, and without one: it says yes, and
// neither opens, makes, fetches nor buys anything.
func TestValidateBesideServer(t *testing.T) {
	s := newSeller(t, "acme", answerPlain)
	var fetched atomic.Int64
	document := registryOf(t, []string{"m"}, s)
	inner := document.Config.Handler
	document.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched.Add(1)
		inner.ServeHTTP(w, r)
	})
	c := newCaddy(t, "")
	elsewhere := filepath.Join(c.dir, "elsewhere")
	validate := func(more string) {
		t.Helper()
		c.configure(market(document, more))
		if out, err := c.command("validate", "--config", c.caddyfile(), "--adapter", "caddyfile").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("Valid configuration")) {
			t.Errorf("caddy validate: %v\n%s", err, out)
		}
	}
	validate("")
	if _, err := os.Stat(c.ledgerDir()); err == nil {
		t.Error("caddy validate has made a ledger")
	}
	if n := fetched.Load(); n != 0 {
		t.Errorf("caddy validate has fetched the registry %d times", n)
	}
	c.configure(market(document, ""))
	c.start()
	if res, body := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", res.StatusCode, body)
	}
	before := fetched.Load()
	validate("")
	validate("\t\tledger badger " + elsewhere + "\n")
	if _, err := os.Stat(elsewhere); err == nil {
		t.Error("caddy validate has made a ledger")
	}
	if n, f := s.purchases(), fetched.Load(); n != 1 || f != before {
		t.Errorf("%d purchases and %d more fetches after caddy validate", n, f-before)
	}
	if res, _ := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
	c.verify()
}

// TestLedgerChangesHands has a second Caddy want the directory of the first. It is told that it is in use: as long as the
// directive is there, and then as long as a stream is. Once the first has let go, the second goes on with what is in it.
func TestLedgerChangesHands(t *testing.T) {
	t.Parallel()
	s := newScript()
	seller := newSeller(t, "acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		if bytes.Contains(body, []byte(`"stream"`)) {
			s.answer(w, r, body)
			return
		}
		answerPlain(w, r, body)
	})
	registry := registryOf(t, []string{"m"}, seller)
	first, second := newCaddy(t, ""), newCaddy(t, "")
	books := "\t\tledger badger " + filepath.Join(first.dir, "books") + " {\n\t\t\tkey the-key-of-both\n\t\t}\n"
	first.configure(market(registry, books))
	second.configure(market(registry, books))
	first.start()
	res := first.open("/v1/chat/completions", sayAndGo(t, s, roleEvent+textEvent("one")))
	got := readUntil(t, res.Body, textEvent("one"))
	second.startRefused("in use by another process")

	first.write(first.global("") + "http://" + first.site + " {\n\tbind 127.0.0.1\n\trespond \"no gateway here\"\n}\n")
	first.reload()
	if _, body := first.post("/v1/chat/completions", chatBody); string(body) != "no gateway here" {
		t.Errorf("after the directive is gone: %s", body)
	}
	second.startRefused("in use by another process")
	s.say(t, endEvents)
	close(s.send)
	rest, err := io.ReadAll(res.Body)
	if want := roleEvent + textEvent("one") + endEvents; err != nil || got+string(rest) != want {
		t.Errorf("%v after %q", err, got+string(rest))
	}

	second.start() // it waits for a directory that is just being closed
	if e := second.oneEntry(); e.Status != "ok" {
		t.Errorf("booked: %+v", e)
	}
	if res, body := second.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK || seller.purchases() != 1 {
		t.Errorf("status %d after %d purchases: %s", res.StatusCode, seller.purchases(), body)
	}
	second.verify()
	if status, _ := first.look("/tokenbuddy/status"); status != http.StatusNotFound {
		t.Errorf("the first still looks into a ledger: status %d", status)
	}
}

// startRefused starts a Caddy that must end by itself at once, and say why.
func (c *caddy) startRefused(why string) {
	c.t.Helper()
	cmd := c.command("run", "--config", c.caddyfile(), "--adapter", "caddyfile")
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	if err == nil || cmd.ProcessState.ExitCode() <= 0 || !out.has(why) {
		c.t.Errorf("caddy run: %v, and not %q:\n%s", err, why, &out)
	}
}

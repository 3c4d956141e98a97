package x402_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/facilitator"
)

// endedBy gives an intent whose authorization ended so long ago.
func endedBy(t *testing.T, intent json.RawMessage, ago time.Duration) json.RawMessage {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(intent, &members); err != nil {
		t.Fatal(err)
	}
	members["validBefore"] = time.Now().Add(-ago).Unix()
	b, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// settle cashes a proof at a facilitator of the chain.
func settle(t *testing.T, c *facilitator.Chain, q payment.Quote, proof json.RawMessage) {
	t.Helper()
	body := fmt.Sprintf(`{"x402Version":2,"paymentPayload":%s,"paymentRequirements":%s}`, proof, requirement(nil))
	rec := httptest.NewRecorder()
	(&facilitator.Handler{Chain: c}).ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/settle", strings.NewReader(body)))
	if !strings.Contains(rec.Body.String(), `"success":true`) {
		t.Fatalf("not settled: %s", rec.Body)
	}
}

func address(t testing.TB, s string) eip3009.Address {
	t.Helper()
	a, err := eip3009.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFate(t *testing.T) {
	type nodes struct {
		one, two *facilitator.Chain
		moved    bool
	}
	pending, failed, unpaid, moved := "pending", "failed", "failed, unpaid", "moved"
	for name, tc := range map[string]struct {
		ended  time.Duration // how long ago; 0: not yet
		rpcs   int
		change func(n *nodes)
		want   string
	}{
		"open":                              {rpcs: 1, want: pending},
		"moved":                             {rpcs: 1, change: func(n *nodes) { n.moved = true }, want: moved},
		"moved, and the time is over":       {ended: time.Hour, rpcs: 1, change: func(n *nodes) { n.moved = true }, want: moved},
		"ended, final":                      {ended: time.Second, rpcs: 1, want: unpaid},
		"ended, not final yet":              {ended: time.Minute, rpcs: 1, change: func(n *nodes) { n.one.SetFinality(10 * time.Minute) }, want: pending},
		"ended by our clock, not by theirs": {ended: time.Second, rpcs: 1, change: func(n *nodes) { n.one.SetClock(func() time.Time { return time.Now().Add(-20 * time.Second) }) }, want: pending},
		"another chain":                     {ended: time.Hour, rpcs: 1, change: func(n *nodes) { n.one.SetID(1) }, want: pending},
		"stale":                             {ended: time.Hour, rpcs: 1, change: func(n *nodes) { n.one.SetClock(func() time.Time { return time.Now().Add(-61 * time.Second) }) }, want: pending},
		"no rpc, open":                      {want: pending},
		"no rpc, just ended":                {ended: 10 * time.Second, want: pending},
		"no rpc, ended":                     {ended: 20 * time.Second, want: failed},
		"two agree that it never will":      {ended: time.Minute, rpcs: 2, want: unpaid},
		"two, one has not heard":            {ended: time.Minute, rpcs: 2, change: func(n *nodes) { n.moved = true }, want: pending},
		"two, one is behind":                {ended: time.Minute, rpcs: 2, change: func(n *nodes) { n.two.SetFinality(time.Hour) }, want: pending},
		"two, one of another chain":         {ended: time.Minute, rpcs: 2, change: func(n *nodes) { n.two.SetID(1) }, want: pending},
	} {
		t.Run(name, func(t *testing.T) {
			var n nodes
			var urls [2]string
			n.one, urls[0] = chain(t)
			n.two, urls[1] = chain(t)
			n.one.Mint(address(t, wallet), 1_000_000)
			m := mustLoad(t, strings.Replace(words, sepolia, sepolia+" "+strings.Join(urls[:tc.rpcs], " "), 1))
			q := quote(requirement(nil))
			intent, proof := pay(t, m, q)
			if tc.change != nil {
				tc.change(&n)
			}
			if n.moved {
				settle(t, n.one, q, proof)
			}
			if tc.ended > 0 {
				intent = endedBy(t, intent, tc.ended)
			}
			o, err := m.Fate(t.Context(), q, intent)
			got := pending
			switch {
			case o.Kind == payment.OutcomeProven:
				got = moved
			case o.Kind == payment.OutcomeFailed && o.Unpaid:
				got = unpaid
			case o.Kind == payment.OutcomeFailed:
				got = failed
			}
			if err != nil || got != tc.want {
				t.Errorf("%s, %v; want %s", got, err, tc.want)
			}
			if got == moved && o.Reference != n.one.Transfers()[0].Transaction.String() {
				t.Errorf("transaction %q", o.Reference)
			}
		})
	}
}

// TestTooLate: what was not shown in time was not cashed, unless the chain says that it was: then the journal is an older
// copy, and the proof is the same. Where the chain can't be asked, or the authorization may still be cashed, that is not known.
func TestTooLate(t *testing.T) {
	c, url := chain(t)
	c.Mint(address(t, wallet), 1_000_000)
	m := mustLoad(t, strings.Replace(words, sepolia, sepolia+" "+url, 1))
	q := quote(requirement(nil))
	intent, proof := pay(t, m, q)
	if o, err := m.Track(t.Context(), q, endedBy(t, intent, -5*time.Second)); err != nil || o.Kind != payment.OutcomePending || o.Reason == "" {
		t.Errorf("5 s before the end: %v, unpaid %v, %v", o.Kind, o.Unpaid, err)
	}
	for behind, want := range map[time.Duration]payment.OutcomeKind{30 * time.Second: payment.OutcomePending, 0: payment.OutcomeFailed} {
		c.SetClock(func() time.Time { return time.Now().Add(-behind) })
		c.SetFinality(10 * time.Minute)
		if o, err := m.Track(t.Context(), q, endedBy(t, intent, 20*time.Second)); err != nil || o.Kind != want || o.Unpaid != (want == payment.OutcomeFailed) {
			t.Errorf("20 s after the end, and the latest block is %s old: %v, unpaid %v, %v", behind, o.Kind, o.Unpaid, err)
		}
	}
	c.SetClock(time.Now)
	c.SetFinality(0)
	if o, err := m.Track(t.Context(), q, endedBy(t, intent, -8*time.Second)); err != nil || o.Kind != payment.OutcomeProven {
		t.Errorf("8 s before the end: %v, %v", o.Kind, err)
	}
	settle(t, c, q, proof)
	if o, err := m.Track(t.Context(), q, endedBy(t, intent, time.Hour)); err != nil || o.Kind != payment.OutcomeProven {
		t.Errorf("cashed, and forgotten here: %v, %v", o.Kind, err)
	}
	// Until the chain has been asked nobody knows that: another one answers, and its network leaves the config.
	c.SetID(1)
	if o, err := m.Track(t.Context(), q, endedBy(t, intent, time.Hour)); err != nil || o.Kind != payment.OutcomePending || o.Reason == "" {
		t.Errorf("the chain is away: %v, %v", o.Kind, err)
	}
	elsewhere := mustLoad(t, strings.Replace(words, sepolia, "eip155:8453", 1))
	if o, err := elsewhere.Track(t.Context(), q, endedBy(t, intent, time.Hour)); err == nil {
		t.Errorf("the network is not in the config: %v", o.Kind)
	}
}

// TestTrackRestored: the books of a backup may have forgotten that an authorization was shown. After its end the chain is believed; where there is no
// RPC nobody knows, and it counts as spent.
func TestTrackRestored(t *testing.T) {
	_, url := chain(t)
	for rpc, unpaid := range map[string]bool{"": false, " " + url: true} {
		m := mustLoad(t, strings.Replace(words, sepolia, sepolia+rpc, 1))
		q := quote(requirement(nil))
		intent, _ := pay(t, m, q)
		for ago, want := range map[time.Duration]payment.OutcomeKind{
			-time.Minute: payment.OutcomeProven, -5 * time.Second: payment.OutcomePending, time.Hour: payment.OutcomeFailed,
		} {
			o, err := m.TrackRestored(t.Context(), q, endedBy(t, intent, ago))
			if err != nil || o.Kind != want || o.Unpaid != (want == payment.OutcomeFailed && unpaid) {
				t.Errorf("%s after the end, RPC%q: %+v, %v", ago, rpc, o, err)
			}
		}
		if o, err := m.Track(t.Context(), q, endedBy(t, intent, time.Hour)); err != nil || !o.Unpaid {
			t.Errorf("in books that have forgotten nothing, RPC%q: %+v, %v", rpc, o, err)
		}
	}
}

func TestPatience(t *testing.T) {
	m := mustLoad(t, words)
	intent, _ := pay(t, m, quote(requirement(nil)))
	for ago, want := range map[time.Duration]time.Duration{
		time.Hour: 30 * time.Second, -time.Minute: 75 * time.Second, -10 * time.Minute: 2 * time.Minute,
	} {
		if got := m.Patience(payment.Quote{}, endedBy(t, intent, ago)); got > want || got < want-2*time.Second {
			t.Errorf("ended %s ago: %s, want %s", ago, got, want)
		}
	}
	if got := m.Patience(payment.Quote{}, json.RawMessage(`{}`)); got != 30*time.Second {
		t.Errorf("an intent of another kind: %s", got)
	}
}

// TestNodeLies: a node's answers are strangers' bytes; whatever they are, the money's fate is at worst not known.
func TestNodeLies(t *testing.T) {
	for name, answer := range map[string]string{
		"page": "<h1>hunter2</h1>", "empty": "", "null": "null", "no result": `{}`, "error": `{"error":{"message":"hunter2"}}`,
		"a list": `{"result":["hunter2"]}`, "no hex": `{"result":"14a34"}`, "beyond": `{"result":"0xffffffffffffffff"}`,
		"large": strings.Repeat("h", 2<<20), "deep": strings.Repeat("[", 100_000),
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(answer)) }))
		m := mustLoad(t, strings.Replace(words, sepolia, sepolia+" "+srv.URL+"/hunter2", 1))
		q := quote(requirement(nil))
		intent, _ := pay(t, m, q)
		if o, err := m.Fate(t.Context(), q, endedBy(t, intent, time.Hour)); err != nil || o.Kind != payment.OutcomePending {
			t.Errorf("%s: %v, %v", name, o.Kind, err)
		}
		s := m.Health(t.Context())
		if len(s) != 1 || s[0].Error == "" || strings.Contains(s[0].Error, "hunter2") || strings.Contains(s[0].Error, srv.URL) {
			t.Errorf("%s: status %+v", name, s)
		}
		srv.Close()
	}
}

func TestHealth(t *testing.T) {
	c, url := chain(t)
	c.Mint(address(t, wallet), 1_500_000)
	c.SetClock(func() time.Time { return time.Now().Add(-40 * time.Second) })
	m := mustLoad(t, strings.Replace(words, sepolia, sepolia+" "+url+"\nnetwork "+base, 1))
	s := m.Health(t.Context())
	if len(s) != 2 || s[0].Error != "" || s[0].Address != m.Address() || s[0].BalanceMicros == nil || *s[0].BalanceMicros != 1_500_000 ||
		s[0].ChainBehindSeconds == nil || *s[0].ChainBehindSeconds < 40 || len(s[0].Warnings) > 0 {
		t.Errorf("%+v", s)
	}
	if s[1].Error != "" || s[1].BalanceMicros != nil || s[1].ChainBehindSeconds != nil || len(s[1].Warnings) != 1 || !strings.Contains(s[1].Warnings[0], "without an RPC") {
		t.Errorf("without an RPC: %+v", s[1])
	}
}

// TestKeyFile: the file that the key is in is for its owner alone.
func TestKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "wallet")
	for mode, warns := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true} {
		if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		m := mustLoad(t, strings.Replace(words, "{env.X402_TEST_WALLET}", "{file."+file+"}", 1))
		s := m.Health(t.Context())
		told := len(s) == 1 && slices.ContainsFunc(s[0].Warnings, func(w string) bool { return strings.Contains(w, "chmod 600 "+file) })
		if told != warns {
			t.Errorf("%o: %+v", mode, s)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeadline: until when the seller can have it cashed.
func TestDeadline(t *testing.T) {
	m := mustLoad(t, words)
	q := quote(requirement(nil))
	intent, _ := pay(t, m, q)
	if left := time.Until(m.Deadline(q, intent)); left <= 0 || left > time.Minute {
		t.Errorf("%s are left", left)
	}
	if !m.Deadline(q, json.RawMessage("{}")).IsZero() {
		t.Error("an intent of another kind has an end")
	}
}

func TestGoneNetwork(t *testing.T) {
	m := mustLoad(t, words)
	q := quote(requirement(nil))
	intent, _ := pay(t, m, q)
	other := mustLoad(t, strings.Replace(words, sepolia, base, 1))
	if o, err := other.Fate(t.Context(), q, endedBy(t, intent, time.Hour)); err == nil || !strings.Contains(err.Error(), sepolia) {
		t.Errorf("%v, %v", o.Kind, err)
	}
	if o, err := other.Track(t.Context(), q, intent); err != nil || o.Kind != payment.OutcomeProven {
		t.Errorf("what was prepared is signed as it was: %v, %v", o.Kind, err)
	}
}

func TestPresent(t *testing.T) {
	m := mustLoad(t, words)
	_, proof := pay(t, m, quote(requirement(nil)))
	h := m.Present(proof)
	if len(h) != 1 || len(h.Get("PAYMENT-SIGNATURE")) < 500 {
		t.Errorf("%v", h)
	}
}

// TestBounds: what the gateway is to hold for the method.
func TestBounds(t *testing.T) {
	m := mustLoad(t, words+"payee pinned "+payee)
	q := quote(requirement(nil))
	if m.MostPerDay() != 20*money.USD || m.Payee(q) != payee {
		t.Errorf("limit %s, payee %s", m.MostPerDay(), m.Payee(q))
	}
	q.SellerID = "pinned"
	if got := m.Payee(q); got != "" {
		t.Errorf("the operator has named them, and %s is to be kept", got)
	}
	q = quote(requirement(map[string]string{"amount": `"1"`}))
	if got := m.Payee(q); got != "" {
		t.Errorf("what is refused has payee %s", got)
	}
}

// TestFateWithoutAName: that the money has moved is told in time also where the nodes take all the time that there is to find the transaction.
func TestFateWithoutAName(t *testing.T) {
	c, _ := chain(t)
	c.Mint(address(t, wallet), 1_000_000)
	left := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if strings.Contains(string(body), "eth_getLogs") {
			select {
			case <-r.Context().Done():
			case <-left:
			}
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		(&facilitator.Handler{Chain: c}).ServeHTTP(w, r)
	}))
	defer slow.Close()
	defer close(left)
	m := mustLoad(t, strings.Replace(words, sepolia, sepolia+" "+slow.URL+"/rpc "+slow.URL+"/rpc?second", 1))
	q := quote(requirement(nil))
	intent, proof := pay(t, m, q)
	settle(t, c, q, proof)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	o, err := m.Fate(ctx, q, intent)
	if err != nil || o.Kind != payment.OutcomeProven || ctx.Err() != nil {
		t.Errorf("%+v, %v, %v", o, err, ctx.Err())
	}
}

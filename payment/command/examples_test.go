//go:build unix

package command_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

// example gives a file of docs/examples as a program that may be run.
func example(t *testing.T, name string) string {
	t.Helper()
	for _, tool := range []string{"jq", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no " + tool)
		}
	}
	text, err := os.ReadFile("../../docs/examples/" + name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLightningExample runs the worked example with a stand-in for lncli, which knows one invoice.
func TestLightningExample(t *testing.T) {
	path := example(t, "pay-lightning")
	dir := t.TempDir()
	lncli := `#!/bin/sh
case "$1 $2" in
"decodepayreq lnbc1") echo '{"payment_hash":"h1","num_msat":"4000000000","timestamp":"'$(date +%s)'","expiry":"600"}';;
"decodepayreq lnbc0") echo '{"payment_hash":"h0","num_msat":"0","timestamp":"'$(date +%s)'","expiry":"600"}';;
"decodepayreq lnbc9") echo '{"payment_hash":"h9","num_msat":"6000000000","timestamp":"'$(date +%s)'","expiry":"600"}';;
"decodepayreq lnbctiny") echo '{"payment_hash":"ht","num_msat":"99999","timestamp":"'$(date +%s)'","expiry":"600"}';;
"decodepayreq lnbcold") echo '{"payment_hash":"ho","num_msat":"4000000000","timestamp":"1600000000","expiry":"600"}';;
"payinvoice --json")
	[ -e ` + dir + `/down ] && exit 1
	echo "$*" >> ` + dir + `/asked
	echo '{"status":"IN_FLIGHT"}{"status":"SUCCEEDED","payment_preimage":"p1"}'; touch ` + dir + `/paid;;
"trackpayment --json")
	[ -e ` + dir + `/paid ] && { echo '{"status":"SUCCEEDED","payment_preimage":"p1"}'; exit; }
	echo "[lncli] rpc error: code = NotFound desc = payment isn't initiated" >&2; exit 1;;
*) exit 1;;
esac
`
	if err := os.WriteFile(dir+"/lncli", []byte(lncli), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("SATS_PER_DOLLAR", "1000000") // 5 dollars are 5,000,000 sats
	m, err := load(t, "name lightning\nrun "+path+"\nenv HOME SATS_PER_DOLLAR")
	if err != nil {
		t.Fatal(err)
	}
	q := quote()
	for invoice, words := range map[string]string{
		"lnbc0": "or for no amount", "lnbc9": "more than the order is worth", "lnbcold": "expired", "lnbcx": "not one of this network", "-x; rm": "no invoice",
	} {
		q.Payment = json.RawMessage(`{"invoice":"` + invoice + `"}`)
		if _, err := m.Prepare(t.Context(), q); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v; want %q", invoice, err, words)
		}
	}
	q.Payment = json.RawMessage(`{"invoice":"lnbctiny"}`)
	if intent, err := m.Prepare(t.Context(), q); err != nil || !strings.HasSuffix(string(intent), `,"fee":0}`) { // fees count nowhere
		t.Errorf("next to nothing: %s, %v", intent, err)
	}
	q = quote()
	intent, err := m.Prepare(t.Context(), q)
	if err != nil || !regexp.MustCompile(`^\{"hash":"h1","invoice":"lnbc1","ends":[0-9]{10},"fee":10\}$`).Match(intent) {
		t.Fatalf("%s, %v", intent, err)
	}
	// What asks the node may still be on its way there: until the invoice is over it may be paid.
	if o, err := m.Track(t.Context(), q, intent); err != nil || o.Kind != payment.OutcomePending {
		t.Errorf("before it was paid: %+v, %v", o, err)
	}
	over := json.RawMessage(`{"hash":"ho","invoice":"lnbcold","ends":1600000600}`)
	if o, err := m.Track(t.Context(), q, over); err != nil || o.Kind != payment.OutcomeFailed || !o.Unpaid {
		t.Errorf("never paid, and over: %+v, %v", o, err)
	}
	os.WriteFile(dir+"/down", nil, 0o600)
	if o, err := m.Pay(t.Context(), q, intent); err == nil {
		t.Errorf("the node is down: %+v", o)
	}
	os.Remove(dir + "/down")
	for _, call := range []func() (payment.Outcome, error){
		func() (payment.Outcome, error) { return m.Pay(t.Context(), q, intent) },
		func() (payment.Outcome, error) { return m.Track(t.Context(), q, intent) },
	} {
		if o, err := call(); err != nil || o.Kind != payment.OutcomeProven || string(o.Proof) != `{"preimage":"p1"}` || o.Reference != "h1" {
			t.Errorf("%+v, %v", o, err)
		}
	}
	if asked, _ := os.ReadFile(dir + "/asked"); !strings.Contains(string(asked), " --fee_limit 10 ") {
		t.Errorf("the node was asked %s", asked)
	}
	if o, err := m.Fate(t.Context(), q, intent); err != nil || o.Kind != payment.OutcomeProven {
		t.Errorf("%+v, %v", o, err)
	}
	// The same invoice for another purchase would bring a proof for which nothing was paid.
	q.PurchaseID = "p-2"
	if intent, err := m.Prepare(t.Context(), q); err == nil || !strings.Contains(err.Error(), "for something else") {
		t.Errorf("an invoice that was paid before: %s, %v", intent, err)
	}
}

// approvals is a service that keeps one payment a purchase, as docs/examples/pay-approval asks for one.
type approvals struct {
	mu      sync.Mutex
	state   string        // of the one payment; empty: it was never begun
	arrived chan struct{} // where it is there, a PUT says so here, and waits for the next word
	apply   chan struct{} // there before it is applied, whether or not its client has left
	unknown func()        // what happens right after a GET that finds nothing
}

func (s *approvals) set(state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

func (s *approvals) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == "" {
		s.state = "open"
	}
}

func (s *approvals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer hunter2" || r.URL.Path != "/payments/p-1" {
		http.Error(w, "who are you", http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodPut {
		var body map[string]any
		if json.NewDecoder(r.Body).Decode(&body) != nil || body["seller"] != "acme" {
			http.Error(w, "what", http.StatusBadRequest)
			return
		}
		if s.arrived != nil {
			s.arrived <- struct{}{}
			<-s.apply
		}
		s.begin()
		if s.arrived != nil {
			s.arrived <- struct{}{}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodDelete {
		if s.state != "" && s.state != "refused" {
			w.WriteHeader(http.StatusConflict)
			return
		}
		s.state = "refused"
		w.WriteHeader(http.StatusNoContent)
		return
	}
	switch s.state {
	case "":
		http.NotFound(w, r)
		if s.unknown != nil {
			s.mu.Unlock()
			s.unknown()
			s.mu.Lock()
		}
	case "open":
		w.Write([]byte(`{"state":"open","link":"https://approvals.internal/p-1"}`))
	case "paid":
		w.Write([]byte(`{"state":"paid","proof":{"receipt":"r"},"reference":"r-1"}`))
	case "down":
		http.Error(w, "down", http.StatusInternalServerError)
	default:
		w.Write([]byte(`{"state":"` + s.state + `"}`))
	}
}

// TestApprovalExample runs the worked example against a service that keeps one payment a purchase.
func TestApprovalExample(t *testing.T) {
	path := example(t, "pay-approval")
	s := new(approvals)
	srv := httptest.NewServer(s)
	defer srv.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("Authorization: Bearer hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("APPROVAL_TOKEN_FILE", token)
	m, err := load(t, "name desk\nrun "+path+" "+srv.URL+"/payments\nenv APPROVAL_TOKEN_FILE")
	if err != nil {
		t.Fatal(err)
	}
	intent, err := m.Prepare(t.Context(), quote())
	if err != nil || string(intent) != `{}` {
		t.Fatalf("%s, %v", intent, err)
	}
	expect := func(name string, call func() (payment.Outcome, error), kind payment.OutcomeKind, unpaid bool) payment.Outcome {
		t.Helper()
		o, err := call()
		if err != nil || o.Kind != kind || o.Unpaid != unpaid {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
		return o
	}
	pay := func() (payment.Outcome, error) { return m.Pay(t.Context(), quote(), intent) }
	track := func() (payment.Outcome, error) { return m.Track(t.Context(), quote(), intent) }
	o := expect("begun", pay, payment.OutcomeNeedsHuman, false)
	if o.Link != "https://approvals.internal/p-1" {
		t.Errorf("link %q", o.Link)
	}
	expect("open", track, payment.OutcomeNeedsHuman, false)
	s.set("paid")
	expect("paid", track, payment.OutcomeProven, false)
	s.set("refused")
	expect("refused", track, payment.OutcomeFailed, true)
	for _, state := range []string{"odd", "down"} {
		s.set(state)
		if o, err := track(); err == nil {
			t.Errorf("%s: %+v", state, o)
		}
	}

	// What was never begun never will be, whatever is still on its way.
	s.set("")
	expect("never begun", track, payment.OutcomeFailed, true)
	expect("asked for too late", pay, payment.OutcomeFailed, true)

	// Begun right after the service was asked whether it was.
	s.set("")
	s.unknown = s.begin
	expect("begun in between", track, payment.OutcomePending, false)
	expect("and then", track, payment.OutcomeNeedsHuman, false)
	s.unknown = nil

	// The program has given up, and the service takes its request only afterwards.
	s.set("")
	s.arrived, s.apply = make(chan struct{}), make(chan struct{})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-s.arrived
		leave()
	}()
	if o, err := m.Pay(ctx, quote(), intent); err == nil {
		t.Errorf("the program was ended: %+v", o)
	}
	expect("what it asked for has not come there", track, payment.OutcomeFailed, true)
	s.apply <- struct{}{}
	<-s.arrived
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != "refused" {
		t.Errorf("paid by a request that came late: %s", s.state)
	}
}

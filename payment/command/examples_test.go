//go:build unix

package command_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

// fresh gives a file of docs/examples as a program that may be run.
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
"decodepayreq lnbcold") echo '{"payment_hash":"ho","num_msat":"4000000000","timestamp":"1600000000","expiry":"600"}';;
"payinvoice --json")
	[ -e ` + dir + `/down ] && exit 1
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
	q = quote()
	intent, err := m.Prepare(t.Context(), q)
	if err != nil || string(intent) != `{"hash":"h1","invoice":"lnbc1"}` {
		t.Fatalf("%s, %v", intent, err)
	}
	if o, err := m.Track(t.Context(), q, intent); err != nil || o.Kind != payment.OutcomeFailed || !o.Unpaid {
		t.Errorf("before it was paid: %+v, %v", o, err)
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
	if o, err := m.Fate(t.Context(), q, intent); err != nil || o.Kind != payment.OutcomeProven {
		t.Errorf("%+v, %v", o, err)
	}
	// The same invoice for another purchase would bring a proof for which nothing was paid.
	q.PurchaseID = "p-2"
	if intent, err := m.Prepare(t.Context(), q); err == nil || !strings.Contains(err.Error(), "for something else") {
		t.Errorf("an invoice that was paid before: %s, %v", intent, err)
	}
}

// TestApprovalExample runs the worked example against a service that keeps one payment a purchase.
func TestApprovalExample(t *testing.T) {
	path := example(t, "pay-approval")
	var state atomic.Value
	state.Store("")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
			state.CompareAndSwap("", "open")
		}
		switch state.Load() {
		case "":
			http.NotFound(w, r)
		case "open":
			w.Write([]byte(`{"state":"open","link":"https://approvals.internal/p-1"}`))
		case "paid":
			w.Write([]byte(`{"state":"paid","proof":{"receipt":"r"},"reference":"r-1"}`))
		default:
			w.Write([]byte(`{"state":"` + state.Load().(string) + `"}`))
		}
	}))
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
	track := func() (payment.Outcome, error) { return m.Track(t.Context(), quote(), intent) }
	expect("never begun", track, payment.OutcomeFailed, true)
	o := expect("begun", func() (payment.Outcome, error) { return m.Pay(t.Context(), quote(), intent) }, payment.OutcomeNeedsHuman, false)
	if o.Link != "https://approvals.internal/p-1" {
		t.Errorf("link %q", o.Link)
	}
	expect("open", track, payment.OutcomeNeedsHuman, false)
	state.Store("paid")
	expect("paid", track, payment.OutcomeProven, false)
	state.Store("refused")
	expect("refused", track, payment.OutcomeFailed, true)
	state.Store("odd")
	if o, err := track(); err == nil {
		t.Errorf("an odd state: %+v", o)
	}
}

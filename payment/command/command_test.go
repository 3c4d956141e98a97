//go:build unix

package command_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/command"
)

func load(t *testing.T, block string) (*command.Method, error) {
	t.Helper()
	m := new(command.Method)
	if err := m.UnmarshalCaddyfile(caddyfile.NewTestDispenser("command {\n" + block + "\n}")); err != nil {
		return nil, err
	}
	adapted, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	m = new(command.Method)
	if err := json.Unmarshal(adapted, m); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	return m, m.Provision(ctx)
}

// script is a stand-in program.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pay")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func method(t *testing.T, text string, more ...string) *command.Method {
	t.Helper()
	m, err := load(t, "name test\nrun "+script(t, text)+"\n"+strings.Join(more, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func quote() payment.Quote {
	return payment.Quote{
		PurchaseID: "p-1", SellerID: "acme", Origin: "https://acme.example", OrderID: "o_1", Model: "m", AmountMicros: 5 * money.USD,
		Payment: json.RawMessage(`{"invoice":"lnbc1"}`), ExpiresAt: time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC),
	}
}

// TestSteps: what the program reads at each step.
func TestSteps(t *testing.T) {
	dir := t.TempDir()
	m := method(t, `line=$(cat); printf '%s\n' "$line" >> `+dir+`/lines
		case $line in
		*'"step":"check"'*) echo '{"status":"ok"}';;
		*'"step":"prepare"'*) echo '{"status":"ok","intent":{"hash":"h"}}';;
		*) echo '{"status":"paid","proof":{"preimage":"x"},"reference":"tx:1"}';;
		esac`)
	if err := m.Check(quote(), 5*money.USD); err != nil {
		t.Fatal(err)
	}
	intent, err := m.Prepare(t.Context(), quote())
	if err != nil || string(intent) != `{"hash":"h"}` {
		t.Fatalf("%s, %v", intent, err)
	}
	for _, call := range []func() (payment.Outcome, error){
		func() (payment.Outcome, error) { return m.Pay(t.Context(), quote(), intent) },
		func() (payment.Outcome, error) { return m.Track(t.Context(), quote(), intent) },
		func() (payment.Outcome, error) { return m.Fate(t.Context(), quote(), intent) },
	} {
		o, err := call()
		if err != nil || o.Kind != payment.OutcomeProven || string(o.Proof) != `{"preimage":"x"}` || o.Reference != "tx:1" {
			t.Errorf("%+v, %v", o, err)
		}
	}
	lines, err := os.ReadFile(dir + "/lines")
	if err != nil {
		t.Fatal(err)
	}
	const rest = `"purchaseId":"p-1","seller":"acme","origin":"https://acme.example","orderId":"o_1","model":"m","amountMicros":5000000,` +
		`"currency":"USD","expiresAt":"2026-11-27T03:00:00Z","payment":{"invoice":"lnbc1"}`
	want := ""
	for _, step := range []string{"check", "prepare", "pay", "track", "fate"} {
		want += `{"v":1,"step":"` + step + `",` + rest
		if step != "check" && step != "prepare" {
			want += `,"intent":{"hash":"h"}`
		}
		want += "}\n"
	}
	if string(lines) != want {
		t.Errorf("%s\nwant\n%s", lines, want)
	}
}

// TestPayAnswers: what counts as an answer to pay, and what leaves everything open.
func TestPayAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want string // empty: nothing is known
	}{
		"paid":                {`echo '{"status":"paid","proof":{"a":1}}'`, "paid"},
		"pending":             {`echo '{"status":"pending"}'`, "pending"},
		"human":               {`echo '{"status":"human","link":"https://bank.example/1","text":"go on"}'`, "human"},
		"failed":              {`echo '{"status":"failed"}'`, "failed"},
		"failed, unpaid":      {`echo '{"status":"failed","unpaid":true}'`, "failed unpaid"},
		"over lines":          {`printf '{\n "status":\n "pending"}\n\n'`, "pending"},
		"paid, exit 1":        {`echo '{"status":"paid","proof":{}}'; exit 1`, ""},
		"failed, exit 1":      {`echo '{"status":"failed","unpaid":true}'; exit 1`, ""},
		"failed, by a signal": {`echo '{"status":"failed","unpaid":true}'; kill -9 $$`, ""},
		"failed, child stays": {`echo '{"status":"failed","unpaid":true}'; sleep 300 &`, ""},
		"nothing":             {`exit 0`, ""},
		"two objects":         {`echo '{"status":"paid","proof":{}}'; echo '{"status":"failed","unpaid":true}'`, ""},
		"text after":          {`echo '{"status":"failed","unpaid":true} done'`, ""},
		"a list":              {`echo '[{"status":"failed","unpaid":true}]'`, ""},
		"cut":                 {`printf '{"status":"failed","unpaid":true'`, ""},
		"no status":           {`echo '{"unpaid":true}'`, ""},
		"a status of others":  {`echo '{"status":"ok"}'`, ""},
		"in another spelling": {`echo '{"Status":"failed","unpaid":true}'`, ""},
		"unpaid a text":       {`echo '{"status":"failed","unpaid":"true"}'`, ""},
		"paid without proof":  {`echo '{"status":"paid"}'`, ""},
		"paid, proof null":    {`echo '{"status":"paid","proof":null}'`, ""},
		"paid and unpaid":     {`echo '{"status":"paid","proof":{},"unpaid":true}'`, "paid"},
		"too much":            {`printf '{"status":"failed","unpaid":true,"text":"'; head -c 70000 /dev/zero | tr '\0' x; echo '"}'`, ""},
		"deep":                {`head -c 60000 /dev/zero | tr '\0' '['`, ""},
		"human, another link": {`echo '{"status":"human","link":"javascript:alert(1)","text":"a\u001b[2Jb"}'`, "human"},
	} {
		m := method(t, "cat >/dev/null; "+tc.text)
		o, err := m.Pay(t.Context(), quote(), json.RawMessage(`{}`))
		got := map[payment.OutcomeKind]string{
			payment.OutcomeProven: "paid", payment.OutcomePending: "pending", payment.OutcomeNeedsHuman: "human", payment.OutcomeFailed: "failed",
		}[o.Kind]
		if o.Unpaid {
			got += " unpaid"
		}
		if err != nil {
			got = ""
		}
		if got != tc.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tc.want)
		}
		if name == "human" && (o.Link != "https://bank.example/1" || o.Text != "go on") || name == "human, another link" && (o.Link != "" || o.Text != "a[2Jb") {
			t.Errorf("%s: link %q, text %q", name, o.Link, o.Text)
		}
	}
}

func TestPrepareRefused(t *testing.T) {
	m := method(t, `cat >/dev/null; echo '{"status":"failed","text":"not from them"}'`)
	if _, err := m.Prepare(t.Context(), quote()); err == nil || !strings.Contains(err.Error(), "not from them") {
		t.Errorf("%v", err)
	}
	m = method(t, `cat >/dev/null; exit 7`)
	if _, err := m.Prepare(t.Context(), quote()); err == nil || !strings.Contains(err.Error(), "exit code 7") {
		t.Errorf("%v", err)
	}
	if err := m.Check(quote(), money.USD); err == nil {
		t.Error("an order above what was asked for is right")
	}
}

func TestTimeout(t *testing.T) {
	m := method(t, `cat >/dev/null; sleep 300`, "timeout 1s")
	if o, err := m.Pay(t.Context(), quote(), json.RawMessage(`{}`)); err == nil || !strings.Contains(err.Error(), "did not end in time") {
		t.Errorf("%v, %v", o.Kind, err)
	}
	if got := m.Patience(quote(), nil); got != 30*time.Second {
		t.Errorf("patience %s", got)
	}
}

// TestTurns: one program a purchase, four in all.
func TestTurns(t *testing.T) {
	dir := t.TempDir()
	// A program marks itself, looks at who else is there, and waits for a word.
	m := method(t, `line=$(cat); id=$(printf '%s' "$line" | sed 's/.*"purchaseId":"\([^"]*\)".*/\1/')
		mkdir `+dir+`/$id || exit 3
		ls `+dir+` | grep -c '^p' > `+dir+`/count.$id
		while [ ! -e `+dir+`/go ]; do sleep 0.02; done
		rmdir `+dir+`/$id; echo '{"status":"pending"}'`)
	var wg sync.WaitGroup
	var failed atomic.Int32
	for i := range 12 {
		q := quote()
		q.PurchaseID = "p-" + string(rune('a'+i%6)) // each purchase twice
		wg.Go(func() {
			if _, err := m.Pay(t.Context(), q, json.RawMessage(`{}`)); err != nil {
				failed.Add(1)
			}
		})
	}
	entered := func() int {
		list, err := filepath.Glob(dir + "/count.*")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	for entered() < 4 {
		time.Sleep(time.Millisecond) // another process is waited for, which has no channel
	}
	if n := entered(); n != 4 {
		t.Errorf("%d programs at once", n)
	}
	if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if failed.Load() != 0 {
		t.Errorf("%d programs met another of their purchase", failed.Load())
	}
}

func TestConfigRefused(t *testing.T) {
	pay := script(t, "exit 0")
	open := script(t, "exit 0")
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for block, words := range map[string]string{
		"":                                   "run is missing",
		"run":                                "something is missing",
		"run pay":                            "absolute path",
		"run " + pay + ".none":               "no such file",
		"run " + open:                        "can be written by others",
		"run " + pay + "\nname Lightning":    "is no name of a method",
		"run " + pay + "\nname ../x":         "is no name of a method",
		"run " + pay + "\nenv TOKEN=hunter2": "without values",
		"run " + pay + "\nenv A A":           "there twice",
		"run " + pay + "\ntimeout 5m":        "out of range",
		"run " + pay + "\ntimeout 10ms":      "out of range",
		"run " + pay + "\nlog_stderr yes":    "1 words stand after it",
		"run " + pay + "\nshell true":        "unknown word",
		"run " + pay + "\nrun " + pay:        "run is there twice",
		"run " + pay + " {\nx\n}":            "unexpected block",
	} {
		if _, err := load(t, block); err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want %q", block, err, words)
		}
	}
	m, err := load(t, "run "+pay)
	if err != nil || m.MethodName() != "command" {
		t.Errorf("%v", err)
	}
}

// TestProvisionRunsNothing: a config may be validated and refused.
func TestProvisionRunsNothing(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	method(t, "touch "+mark)
	if _, err := os.Stat(mark); err == nil {
		t.Error("the program has run")
	}
}

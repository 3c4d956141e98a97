package x402_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
)

func TestConfigRefused(t *testing.T) {
	t.Setenv("X402_TEST_EMPTY", "")
	t.Setenv("X402_TEST_BAD", "hunter2")
	t.Setenv("X402_TEST_URL", "ftp://hunter2@node.example")
	for _, tc := range []struct{ change, to, words string }{
		{"key {env.X402_TEST_WALLET}", "", "key: expected a placeholder"},
		{"{env.X402_TEST_WALLET}", secret, "expected a placeholder, such as {file./run/secrets/x402-wallet}"},
		{"{env.X402_TEST_WALLET}", "{env.X402_TEST_EMPTY}", "key:"},
		{"{env.X402_TEST_WALLET}", "{env.X402_TEST_NOT_SET}", "key:"},
		{"{env.X402_TEST_WALLET}", "{env.X402_TEST_BAD}", "not a key"},
		{"{env.X402_TEST_WALLET}", "{env.X402_TEST_WALLET} more", "2 words stand after it"},
		{"network eip155:84532", "", "no network is there to pay on"},
		{"eip155:84532", "base", "not a network"},
		{"eip155:84532", "eip155:084532", "not a network"},
		{"eip155:84532", "eip155:84533", "the dollar token of eip155:84533 is not known"},
		{"eip155:84532", "eip155:84532 ftp://hunter2.example", "an RPC is not an http or https URL"},
		{"eip155:84532", "eip155:84532 {env.X402_TEST_URL}", "the first RPC is not an http or https URL"},
		{"eip155:84532", "eip155:84532 {env.X402_TEST_NOT_SET}", "the first RPC"},
		{"eip155:84532", "eip155:84532\nnetwork eip155:84532", "is there twice"},
		{"eip155:84532", "eip155:84532 {\nrpc x\n}", "unexpected block"},
		{"daily_limit 20", "", "daily_limit is missing"},
		{"daily_limit 20", "daily_limit 0", "more than 0 dollars"},
		{"daily_limit 20", "daily_limit -1", "not an amount"},
		{"daily_limit 20", "daily_limit 20\ndaily_limit 20", "daily_limit is there twice"},
		{"daily_limit 20", "daily_limit 20\nmax_payment 1e3", "not an amount"},
		{"daily_limit 20", "daily_limit 20\nvalid_for 9s", "out of range"},
		{"daily_limit 20", "daily_limit 20\nvalid_for 11m", "out of range"},
		{"daily_limit 20", "daily_limit 20\nvalid_for soon", "not a duration"},
		{"daily_limit 20", "daily_limit 20\npayee acme", "something is missing"},
		{"daily_limit 20", "daily_limit 20\npayee acme: " + payee, "is no seller's id"},
		{"daily_limit 20", "daily_limit 20\npayee acme 0x0000000000000000000000000000000000000000", "the zero one"},
		{"daily_limit 20", "daily_limit 20\npayee acme acme.eth", "payee of acme: not an address"},
		{"daily_limit 20", "daily_limit 20\npayee acme 0x8A8089de7E7235Cf008eF478c50FA17CCBcd4176", "not its checksum"},
		{"daily_limit 20", "daily_limit 20\nrpc x", `unknown word "rpc": expected one of key, network`},
		{"daily_limit 20", "daily_limit 20\ntoken 0x00 USDC 2", "not an address"},
		{"network eip155:84532", "token " + asset + " USDC 2\nnetwork eip155:84532", "no network stands before it"},
	} {
		_, err := load(t, strings.Replace(words, tc.change, tc.to, 1))
		if err == nil || !strings.Contains(err.Error(), tc.words) {
			t.Errorf("%s -> %s: %v; want %q", tc.change, tc.to, err, tc.words)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), secret)) {
			t.Errorf("%s -> %s: the error quotes a secret: %v", tc.change, tc.to, err)
		}
	}
}

func TestConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "wallet")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := mustLoad(t, `
		key {file.`+file+`}
		network eip155:1337 http://127.0.0.1:8545/{env.X402_TEST_WALLET} https://other.example
		token `+asset+` "Test Dollar" 1
		network eip155:8453
		max_payment 5
		daily_limit 20
		valid_for 2m
		payee acme `+payee+`
		payee beta `+payee+` `+strings.ToLower(wallet)+`
	`)
	if m.Address() != wallet {
		t.Errorf("address %s", m.Address())
	}
	got, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"key":"{file.` + file + `}","networks":[{"id":"eip155:1337","rpc":["http://127.0.0.1:8545/{env.X402_TEST_WALLET}",` +
		`"https://other.example"],"token":{"address":"` + asset + `","name":"Test Dollar","version":"1"}},{"id":"eip155:8453"}],` +
		`"max_payment":"5","daily_limit":"20","valid_for":120000000000,"payees":{"acme":["` + payee + `"],"beta":["` + payee + `","` +
		strings.ToLower(wallet) + `"]}}`
	if string(got) != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestJSONRefused: what a Caddyfile can't say, JSON can.
func TestJSONRefused(t *testing.T) {
	t.Setenv("X402_TEST_WALLET", secret)
	const rest = `"networks":[{"id":"eip155:84532"}],"daily_limit":"20"`
	for config, words := range map[string]string{
		`{"key":"` + secret + `",` + rest + `}`:                                                             "expected a placeholder",
		`{"key":"{env.X402_TEST_WALLET}",` + rest + `,"payees":{"a":[]}}`:                                   "expected at least one address",
		`{"key":"{env.X402_TEST_WALLET}","networks":[],"daily_limit":"20"}`:                                 "no network",
		`{"key":"{env.X402_TEST_WALLET}","networks":[{"id":"eip155:84532"}]}`:                               "daily_limit is missing",
		`{"key":"{env.X402_TEST_WALLET}",` + rest + `,"valid_for":1}`:                                       "out of range",
		`{"key":"{env.X402_TEST_WALLET}",` + rest + `,"max_payment":"five"}`:                                "max_payment",
		`{"key":"{env.X402_TEST_WALLET}",` + strings.Replace(rest, "]", `,{"id":"eip155:84532"}]`, 1) + `}`: "is there twice",
	} {
		var m x402.Method
		if err := json.Unmarshal([]byte(config), &m); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		err := m.Provision(ctx)
		cancel()
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), secret[2:]) {
			t.Errorf("%s: %v; want %q", config, err, words)
		}
	}
}

func provisioned(t testing.TB, c x402.Config) *x402.Method {
	t.Helper()
	m := &x402.Method{Config: c}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	if err := m.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	return m
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(required(requirement(nil))))
	f.Add([]byte(`{"x402Version":2,"accepts":[{"scheme":"exact","extra":{}}]}`))
	f.Add([]byte(`{"x402Version":2,"accepts":[[]],"resource":5}`))
	f.Setenv("X402_TEST_WALLET", secret)
	m := provisioned(f, x402.Config{Key: "{env.X402_TEST_WALLET}", Networks: []x402.Network{{ID: sepolia}}, DailyLimit: "20"})
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) {
			return // the machine has checked that
		}
		q := quote()
		q.Payment = b
		if m.Check(q, money.USD) != nil {
			return
		}
		// What is paid is right in every point, whatever else the seller has written.
		_, proof := pay(t, m, q)
		a, _, accepted, err := x402.ReadPayload(proof)
		if err != nil || a.From.String() != wallet || a.Value.String() != "500000" || a.Nonce != x402.Nonce(q.Origin, q.PurchaseID) ||
			!json.Valid(accepted) {
			t.Fatalf("%s: %v", proof, err)
		}
		if h := m.Present(proof); len(h.Get("PAYMENT-SIGNATURE")) > 16<<10 {
			t.Fatal("the header is too long for a server")
		}
	})
}

func FuzzReadPayload(f *testing.F) {
	f.Add([]byte(`{"x402Version":2,"payload":{"signature":"0x","authorization":{}},"accepted":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, _, err := x402.ReadPayload(b); err != nil && len(b) > 100 && strings.Contains(err.Error(), string(b)) {
			t.Fatal("the error quotes it")
		}
	})
}

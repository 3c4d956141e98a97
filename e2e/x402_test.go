package e2e

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/tokenbuddy/caddy-tokenbuddy/seller/facilitator"
)

// x402Key is the key of a wallet that has never held money.
const x402Key = "703251b95225f7d8087f00410baf17ba372a717ee23149c5f74843c04eb389fd"

// TestX402Example runs Caddyfile.x402.example, on ports of its own: a request from a client is answered from a token that was
// bought for it, and the money has moved once. The key is nowhere.
func TestX402Example(t *testing.T) {
	example, err := os.ReadFile("../Caddyfile.x402.example")
	if err != nil {
		t.Fatal(err)
	}
	c := newCaddy(t, "")
	c.env = append(c.env, "X402_WALLET="+x402Key)
	seller, facilitator := freeAddress(t), freeAddress(t)
	c.write(strings.NewReplacer(
		"admin localhost:2019", "admin "+c.admin+"\n\tdebug",
		":8080 {", "http://"+c.site+" {", ":9101 {", "http://"+seller+" {", ":9109 {", "http://"+facilitator+" {",
		"127.0.0.1:9101", seller, "127.0.0.1:9109", facilitator,
	).Replace(string(example)))
	c.start()
	eventually(t, "the registry, which is of this Caddy too, is read", func() bool {
		res, err := http.Get(c.url("/v1/models"))
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	begun := time.Now()
	res, body := c.post("/v1/chat/completions", `{"model":"toy-1","messages":[{"role":"user","content":"Hello"}]}`)
	if res.StatusCode != http.StatusOK || !strings.Contains(string(body), "chat.completion") {
		t.Fatalf("status %d: %s\n%s", res.StatusCode, body, c.log)
	}
	t.Logf("answered after %s, purchase included", time.Since(begun))
	bought := c.entries("purchase")
	if len(bought) == 0 {
		t.Fatal("nothing was bought")
	}
	entries, err := json.Marshal(bought)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(entries), "wallet:x402") {
		t.Errorf("booked as %s", entries)
	}
	for range 3 { // from the same token
		if res, body := c.post("/v1/chat/completions", `{"model":"toy-1","messages":[{"role":"user","content":"Hello"}]}`); res.StatusCode != http.StatusOK {
			t.Errorf("status %d: %s", res.StatusCode, body)
		}
	}
	if n := len(c.entries("purchase")); n != len(bought) {
		t.Errorf("%d entries of purchases, before %d", n, len(bought))
	}
	for _, path := range []string{"/config/", "/tokenbuddy/status", "/tokenbuddy/ledger/entries", "/metrics"} {
		_, body := c.look(path)
		if strings.Contains(string(body), x402Key) || strings.Contains(string(body), `"signature"`) {
			t.Errorf("%s has a secret: %s", path, body)
		}
	}
	c.stop()
	err = filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), x402Key) {
			t.Errorf("the key is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if log := c.log.String(); strings.Contains(log, x402Key) || strings.Contains(log, `"signature"`) || strings.Contains(log, "tbs_") {
		t.Error("a secret is in the log")
	}
}

// TestCarelessSeller: a seller whose config is good until it costs somebody money says so when that is loaded, and one that is careful says nothing.
func TestCarelessSeller(t *testing.T) {
	c := newCaddy(t, "")
	c.env = append(c.env, "RECEIPTS=a key that nobody has")
	receipt := "payment receipt {\n key {env.RECEIPTS}\n}\n"
	x402 := "payment x402 {\n pay_to 0x8a8089de7E7235Cf008eF478c50FA17CCBcd4176\n network eip155:84532\n facilitator http://127.0.0.1:9\n rpc http://127.0.0.1:9\n}\n"
	state := func(name string) string { return "state " + filepath.Join(c.dir, name) + "\n" }
	config := c.global("")
	for id, lines := range map[string]string{
		"forgets": receipt, "anywhere": x402 + state("a.json"),
		"careful": receipt + x402 + state("b.json") + "url https://careful.example\n", "toy": "",
	} {
		config += "http://" + freeAddress(t) + " {\n bind 127.0.0.1\n tokenbuddy_seller " + id + " {\n" + lines + "}\n}\n"
	}
	c.write(config)
	c.start()
	log := c.log.String()
	for warned, want := range map[string]int{`"seller":"forgets","method":"receipt"`: 1, `"seller":"anywhere","method":"x402"`: 1, "seller.payment.careless": 2} {
		if n := strings.Count(log, warned); n != want {
			t.Errorf("%d times %s\n%s", n, warned, log)
		}
	}
}

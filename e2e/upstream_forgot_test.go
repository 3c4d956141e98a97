package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestUpstreamForgotResponse: a seller that knows nothing any more of what a request goes on from, as after an update from a release that did not
// write that down, has no gateway buy one token after the other that are all too small, and get no more money then: the client is told to send
// the conversation.
func TestUpstreamForgotResponse(t *testing.T) {
	u := newModelServer(t, "")
	seller, gateway := newCaddy(t, ""), newCaddy(t, "")
	file := filepath.Join(seller.dir, "books.json")
	seller.write(seller.global("") + fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy_seller s {\n\t\tstate %s\n\t\tupstream %s {\n\t\t\tno_key\n\t\t\tmodel m as qwen3:8b\n"+
		"\t\t\tprice m 100 400\n\t\t}\n\t}\n}\n", seller.site, file, u.URL))
	seller.start()
	gateway.write(gateway.global("") + fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy {\n\t\tregistry http://%s/registry.json\n\t\tseller_networks 127.0.0.0/8\n\t\tpayment mock\n"+
		"\t\tledger badger %s\n\t}\n}\n", gateway.site, seller.site, filepath.Join(gateway.dir, "books")))
	gateway.start()
	ask := func(more string) (int, string) {
		t.Helper()
		res, body := gateway.post("/v1/responses", `{"model":"m","input":"Hi","max_output_tokens":50`+more+`}`)
		return res.StatusCode, string(body)
	}
	if status, body := ask(""); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	seller.stop()
	journal, err := os.ReadFile(file + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".journal", regexp.MustCompile(`(?m)^[0-9a-f]{8} \{"responses":.*\n`).ReplaceAll(journal, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	seller.start()
	for range 3 {
		status, body := ask(`,"previous_response_id":"resp_1"`)
		if status != http.StatusBadRequest || !strings.Contains(body, "previous_response_not_found") {
			t.Errorf("%d %s", status, body)
		}
	}
	if n := len(seller.sellerBooks().Tokens); n != 1 {
		t.Errorf("%d tokens were bought", n)
	}
	if gateway.log.has("purchase.seller.braked") {
		t.Error("the seller gets no more money")
	}
	if status, body := ask(""); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}

package node_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/node"
)

func pad(a eip3009.Address) string {
	return "0x" + strings.Repeat("0", 24) + strings.ToLower(a.String()[2:])
}

// TestPaid: a transfer counts only as the event right after that of the nonce's use, of this token, to this payee, of this value.
func TestPaid(t *testing.T) {
	token, from, to, other := eip3009.Address{1}, eip3009.Address{2}, eip3009.Address{3}, eip3009.Address{4}
	a := eip3009.Authorization{From: from, To: to, Value: eip3009.NewUint256(500_000), Nonce: eip3009.Hash{9}}
	used := eip3009.Keccak([]byte("AuthorizationUsed(address,bytes32)")).String()
	transfer := eip3009.Keccak([]byte("Transfer(address,address,uint256)")).String()
	tx := eip3009.Hash{7}.String()
	event := func(index string, address eip3009.Address, topics []string, data string) map[string]any {
		return map[string]any{"logIndex": index, "address": address, "topics": topics, "data": data, "transactionHash": tx}
	}
	use := event("0x5", token, []string{used, pad(from), a.Nonce.String()}, "0x")
	move := func(index string, address, payer, payee eip3009.Address, value uint64) map[string]any {
		return event(index, address, []string{transfer, pad(payer), pad(payee)}, eip3009.Hash(eip3009.NewUint256(value)).String())
	}
	for name, tc := range map[string]struct {
		uses, logs []any
		paid       bool
		unclear    bool
	}{
		"paid":                      {[]any{use}, []any{use, move("0x6", token, from, to, 500_000)}, true, false},
		"among many":                {[]any{use}, []any{move("0x4", token, from, other, 9), use, move("0x6", token, from, to, 500_000), move("0x7", token, from, other, 9)}, true, false},
		"to another":                {[]any{use}, []any{use, move("0x6", token, from, other, 500_000)}, false, false},
		"to another, then to us":    {[]any{use}, []any{use, move("0x6", token, from, other, 500_000), move("0x7", token, from, to, 500_000)}, false, false},
		"to us before, for another": {[]any{use}, []any{move("0x4", token, from, to, 500_000), use, move("0x6", token, from, from, 500_000)}, false, false},
		"less":                      {[]any{use}, []any{use, move("0x6", token, from, to, 499_999)}, false, false},
		"of another payer":          {[]any{use}, []any{use, move("0x6", token, other, to, 500_000)}, false, false},
		"in another token":          {[]any{use}, []any{use, move("0x6", other, from, to, 500_000)}, false, false},
		"another event":             {[]any{use}, []any{use, event("0x6", token, []string{used, pad(from), pad(to)}, eip3009.Hash(a.Value).String())}, false, false},
		"fewer topics":              {[]any{use}, []any{use, event("0x6", token, []string{transfer}, eip3009.Hash(a.Value).String())}, false, false},
		"no event after it":         {[]any{use}, []any{use}, false, true},
		"not used":                  {[]any{}, nil, false, true},
		"used twice":                {[]any{use, use}, []any{use, move("0x6", token, from, to, 500_000)}, false, true},
		"a use without its place":   {[]any{map[string]any{"transactionHash": tx}}, []any{use, move("0x6", token, from, to, 500_000)}, false, true},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var call struct{ Method string }
			if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
				t.Error(err)
			}
			var result any = tc.uses
			if call.Method == "eth_getTransactionReceipt" {
				result = map[string]any{"logs": tc.logs}
			}
			json.NewEncoder(w).Encode(map[string]any{"result": result})
		}))
		n := node.Node{URL: srv.URL, Client: node.NewClient()}
		paid, transaction, err := n.Paid(t.Context(), token, a, 9000)
		if paid != tc.paid || (err != nil) != tc.unclear || err == nil && transaction != tx {
			t.Errorf("%s: paid %v by %q, %v", name, paid, transaction, err)
		}
		n.Client.CloseIdleConnections()
		srv.Close()
	}
}

// FuzzAnswer: whatever a node answers, nothing breaks, nothing of it is in an error, and no payment is made out of nothing.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"result":"0x1"}`, `{"result":{"number":"0x1","timestamp":"0x2"}}`, `{"result":[{"logIndex":"0x1","transactionHash":"0x"}]}`, `{"error":{}}`, `[[[[`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		client := &http.Client{Transport: always(answer)}
		n := node.Node{URL: "http://node.example/secret", Client: client}
		var errs []error
		_, _, err := n.Block(t.Context(), "latest")
		errs = append(errs, err, n.SameChain(t.Context(), 1))
		_, err = n.Used(t.Context(), eip3009.Address{1}, eip3009.Address{2}, eip3009.Hash{}, 1)
		errs = append(errs, err)
		paid, _, err := n.Paid(t.Context(), eip3009.Address{1}, eip3009.Authorization{To: eip3009.Address{3}, Value: eip3009.NewUint256(1)}, 1)
		for _, err := range append(errs, err) {
			if err != nil && (strings.Contains(err.Error(), "secret") || len(answer) > 8 && strings.Contains(err.Error(), string(answer))) {
				t.Fatal(err)
			}
		}
		if paid {
			t.Fatal("paid") // one answer can't be both a list of events and a receipt
		}
	})
}

type always []byte

func (a always) RoundTrip(*http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	rec.Write(a)
	return rec.Result(), nil
}

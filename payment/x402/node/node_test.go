package node_test

import (
	"encoding/json"
	"fmt"
	"maps"
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
	a := eip3009.Authorization{From: from, To: to, Value: eip3009.NewUint256(500_000), Nonce: eip3009.Hash{9}, ValidBefore: eip3009.NewUint256(20_000)}
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
	with := func(e map[string]any, name string, value any) map[string]any {
		changed := maps.Clone(e)
		changed[name] = value
		return changed
	}
	another := with(use, "topics", []string{used, pad(from), eip3009.Hash{8}.String()}) // of the same payer, by another nonce
	moved := []any{use, move("0x6", token, from, to, 500_000)}
	for name, tc := range map[string]struct {
		uses, logs []any
		paid       bool
		unclear    bool
	}{
		"another nonce's":                    {[]any{another}, []any{another, move("0x6", token, from, to, 500_000)}, false, true},
		"another nonce's in its place":       {[]any{use}, []any{another, move("0x6", token, from, to, 500_000)}, false, true},
		"another token's":                    {[]any{with(use, "address", other)}, moved, false, true},
		"of a block that was replaced":       {[]any{with(use, "removed", true)}, moved, false, true},
		"replaced when it is looked at":      {[]any{use}, []any{with(use, "removed", true), move("0x6", token, from, to, 500_000)}, false, true},
		"of a block that is to come":         {[]any{with(use, "blockNumber", "0x2329")}, moved, false, true},
		"of a block of long ago":             {[]any{with(use, "blockNumber", "0x1")}, moved, false, true},
		"of a block that was asked for":      {[]any{with(use, "blockNumber", "0x2328")}, moved, true, false},
		"of another transaction":             {[]any{with(use, "receipt", eip3009.Hash{6}.String())}, moved, false, true},
		"of one that has failed":             {[]any{with(use, "status", "0x0")}, moved, false, true},
		"of one that has failed, in decimal": {[]any{with(use, "status", "0")}, moved, false, true},
		"of a status in decimal":             {[]any{with(use, "status", "1")}, moved, true, false},
		"of a status that is a number":       {[]any{with(use, "status", 1)}, moved, true, false},
		"of no status":                       {[]any{with(use, "status", "")}, moved, true, false},
		"counted in the transaction alone":   {[]any{use}, []any{with(use, "logIndex", "0x0"), move("0x1", token, from, to, 500_000)}, true, false},
		"so, and to another":                 {[]any{use}, []any{with(use, "logIndex", "0x0"), move("0x1", token, from, other, 500_000), move("0x6", token, from, to, 500_000)}, false, false},
		"beside another nonce's":             {[]any{another, use}, moved, true, false},
		"in capitals":                        {[]any{with(use, "topics", []string{"0x" + strings.ToUpper(used[2:]), pad(from), a.Nonce.String()})}, moved, true, false},
		"paid":                               {[]any{use}, []any{use, move("0x6", token, from, to, 500_000)}, true, false},
		"among many":                         {[]any{use}, []any{move("0x4", token, from, other, 9), use, move("0x6", token, from, to, 500_000), move("0x7", token, from, other, 9)}, true, false},
		"to another":                         {[]any{use}, []any{use, move("0x6", token, from, other, 500_000)}, false, false},
		"to another, then to us":             {[]any{use}, []any{use, move("0x6", token, from, other, 500_000), move("0x7", token, from, to, 500_000)}, false, false},
		"to us before, for another":          {[]any{use}, []any{move("0x4", token, from, to, 500_000), use, move("0x6", token, from, from, 500_000)}, false, false},
		"less":                               {[]any{use}, []any{use, move("0x6", token, from, to, 499_999)}, false, false},
		"of another payer":                   {[]any{use}, []any{use, move("0x6", token, other, to, 500_000)}, false, false},
		"in another token":                   {[]any{use}, []any{use, move("0x6", other, from, to, 500_000)}, false, false},
		"another event":                      {[]any{use}, []any{use, event("0x6", token, []string{used, pad(from), pad(to)}, eip3009.Hash(a.Value).String())}, false, false},
		"fewer topics":                       {[]any{use}, []any{use, event("0x6", token, []string{transfer}, eip3009.Hash(a.Value).String())}, false, false},
		"no event after it":                  {[]any{use}, []any{use}, false, true},
		"not used":                           {[]any{}, nil, false, true},
		"used twice":                         {[]any{use, use}, []any{use, move("0x6", token, from, to, 500_000)}, false, true},
		"a use without its place":            {[]any{map[string]any{"transactionHash": tx}}, []any{use, move("0x6", token, from, to, 500_000)}, false, true},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var call struct{ Method string }
			if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
				t.Error(err)
			}
			var result any = tc.uses
			switch call.Method {
			case "eth_getTransactionReceipt":
				result = map[string]any{"logs": tc.logs, "status": "0x1", "transactionHash": tx}
				if asked := tc.uses[0].(map[string]any); asked["receipt"] != nil {
					result.(map[string]any)["transactionHash"] = asked["receipt"]
				} else if asked["status"] != nil {
					result.(map[string]any)["status"] = asked["status"]
				}
			case "eth_getBlockByNumber":
				result = map[string]any{"number": "0x2328", "timestamp": "0x2328"}
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

// TestPaidLongAgo: a payment is found however long ago it was made, on a chain of many blocks too, by few calls, and none of them asks for the
// events of more blocks than nodes give at once.
func TestPaidLongAgo(t *testing.T) {
	const latest = 4_000_000
	token, from, to := eip3009.Address{1}, eip3009.Address{2}, eip3009.Address{3}
	used := eip3009.Keccak([]byte("AuthorizationUsed(address,bytes32)")).String()
	transfer := eip3009.Keccak([]byte("Transfer(address,address,uint256)")).String()
	for name, tc := range map[string]struct {
		perSecond uint64 // blocks
		at        uint64 // the block of the payment
		end       uint64 // of the authorization, in seconds
		paid      bool
		calls     int
	}{
		"a moment ago":                 {1, latest - 3, latest + 60, true, 3},
		"of a chain that hurries":      {4, latest - 9_000, latest / 4, true, 15},
		"two days ago":                 {4, latest - 691_200, latest/4 - 172_800 + 60, true, 30},
		"two days ago, at the end":     {4, latest - 691_200, latest/4 - 172_800 + 1, true, 30},
		"at the beginning of a chain":  {1, 5, 60, true, 30},
		"used for something else":      {4, 0, latest / 4, false, 30},
		"used for something, long ago": {1, 0, latest - 172_800, false, 30},
	} {
		calls := 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var call struct {
				Method string
				Params []json.RawMessage
			}
			if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
				t.Error(err)
			}
			calls++
			number := func(raw string) (n uint64) {
				if _, err := fmt.Sscanf(strings.Trim(raw, `"`), "0x%x", &n); err != nil || n > latest {
					t.Errorf("%s: block %s", name, raw)
				}
				return n
			}
			event := func(index, topic string, more ...string) map[string]any {
				return map[string]any{
					"logIndex": index, "address": token, "topics": append([]string{topic}, more...),
					"data": eip3009.Hash(eip3009.NewUint256(5)).String(), "transactionHash": eip3009.Hash{7}.String(),
				}
			}
			use := event("0x5", used, pad(from), eip3009.Hash{9}.String())
			var result any
			switch call.Method {
			case "eth_getBlockByNumber":
				n := number(string(call.Params[0]))
				result = map[string]any{"number": fmt.Sprintf("0x%x", n), "timestamp": fmt.Sprintf("0x%x", n/tc.perSecond)}
			case "eth_getLogs":
				var in struct{ FromBlock, ToBlock string }
				if err := json.Unmarshal(call.Params[0], &in); err != nil {
					t.Error(err)
				}
				first, last := number(in.FromBlock), number(in.ToBlock)
				if last < first || last-first > 2000 {
					t.Errorf("%s: the events of %d to %d", name, first, last)
				}
				list := []any{}
				if tc.at > 0 && first <= tc.at && tc.at <= last {
					list = append(list, use)
				}
				result = list
			case "eth_getTransactionReceipt":
				result = map[string]any{"logs": []any{use, event("0x6", transfer, pad(from), pad(to))}}
			}
			json.NewEncoder(w).Encode(map[string]any{"result": result})
		}))
		n := node.Node{URL: srv.URL, Client: node.NewClient()}
		a := eip3009.Authorization{From: from, To: to, Value: eip3009.NewUint256(5), Nonce: eip3009.Hash{9}, ValidBefore: eip3009.NewUint256(tc.end)}
		paid, _, err := n.Paid(t.Context(), token, a, latest)
		if paid != tc.paid || (err == nil) != tc.paid {
			t.Errorf("%s: paid %v, %v", name, paid, err)
		}
		if calls > tc.calls {
			t.Errorf("%s: %d calls", name, calls)
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

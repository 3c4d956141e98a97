package x402_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

// liar stands before a chain's node, and says something else where it is told to. says is given what the node says to the n-th call of a
// method, from 1, and gives the whole answer; nil: the node's.
type liar struct {
	node  string
	says  func(method string, n int, id json.RawMessage, result json.RawMessage) []byte
	cut   bool // each answer ends before its last byte
	calls map[string]int
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var call struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	_ = json.Unmarshal(body, &call)
	if call.Method == "eth_getBlockByNumber" { // latest and finalized are two questions
		call.Method += " " + string(call.Params[0])
	}
	req, _ := http.NewRequestWithContext(r.Context(), http.MethodPost, l.node, bytes.NewReader(body))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer res.Body.Close()
	said, _ := io.ReadAll(res.Body)
	var answer struct{ Result json.RawMessage }
	_ = json.Unmarshal(said, &answer)
	l.calls[call.Method]++
	if l.says != nil {
		if other := l.says(call.Method, l.calls[call.Method], call.ID, answer.Result); other != nil {
			said = other
		}
	}
	if l.cut {
		w.Header().Set("Content-Length", strconv.Itoa(len(said)))
		said = said[:len(said)-1]
	}
	_, _ = w.Write(said)
}

// result is an answer's, of the call with the id.
func result(id, result string) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":%s}`, id, result)
}

// TestLiar: whatever one node says in the place of the truth, money that has moved is never given back, and money that may still move
// neither. What it says of a payment that has neither moved nor can, is at worst that nobody knows.
func TestLiar(t *testing.T) {
	const zero, one = `"0x0000000000000000000000000000000000000000000000000000000000000000"`, `"0x0000000000000000000000000000000000000000000000000000000000000001"`
	of := func(method string, answer func(id, result string) []byte) func(string, int, json.RawMessage, json.RawMessage) []byte {
		return func(called string, _ int, id, result json.RawMessage) []byte {
			if called != method {
				return nil
			}
			return answer(string(id), string(result))
		}
	}
	block := func(number, at time.Duration) func(id, _ string) []byte { // beside now, in blocks of 2 s
		return func(id, _ string) []byte {
			now := time.Now()
			return result(id, fmt.Sprintf(`{"number":"0x%x","timestamp":"0x%x"}`, now.Add(number).Unix()/2, now.Add(at).Unix()))
		}
	}
	const latest, final = `eth_getBlockByNumber "latest"`, `eth_getBlockByNumber "finalized"`
	for name, tc := range map[string]struct {
		says   func(method string, n int, id, result json.RawMessage) []byte
		cut    bool
		before string // the end of the authorization, when it has not moved
		after  string // when it has not moved
		moved  string // when it has, and its end is over
	}{
		"the truth":                        {before: "pending", after: "unpaid", moved: "moved"},
		"cut":                              {cut: true, before: "pending", after: "pending", moved: "pending"},
		"an answer to another call":        {says: of("eth_call", func(_, r string) []byte { return result("0", r) }), before: "pending", after: "pending", moved: "pending"},
		"an answer to a call that is text": {says: of("eth_call", func(_, r string) []byte { return result(`"x"`, r) }), before: "pending", after: "pending", moved: "pending"},
		"its id as text":                   {says: of("eth_call", func(id, r string) []byte { return result(`"`+id+`"`, r) }), before: "pending", after: "unpaid", moved: "moved"},
		"an error beside a result": {says: of("eth_call", func(id, _ string) []byte {
			return fmt.Appendf(nil, `{"id":%s,"result":%s,"error":{"code":1}}`, id, zero)
		}), before: "pending", after: "pending", moved: "pending"},
		"a page":                         {says: of("eth_call", func(string, string) []byte { return []byte("<html>" + zero) }), before: "pending", after: "pending", moved: "pending"},
		"no use at all":                  {says: of("eth_call", func(id, _ string) []byte { return result(id, `"0x"`) }), before: "pending", after: "pending", moved: "pending"},
		"half a word":                    {says: of("eth_call", func(id, _ string) []byte { return result(id, `"0x00"`) }), before: "pending", after: "pending", moved: "pending"},
		"neither yes nor no":             {says: of("eth_call", func(id, _ string) []byte { return result(id, zero[:66]+`2"`) }), before: "pending", after: "pending", moved: "pending"},
		"a final block that is to come":  {says: of(final, block(time.Hour, time.Hour)), before: "pending", after: "pending", moved: "moved"},
		"a final block of the future":    {says: of(final, block(-time.Hour, time.Hour)), before: "pending", after: "pending", moved: "moved"},
		"a final block without a time":   {says: of(final, func(id, _ string) []byte { return result(id, `{"number":"0x1"}`) }), before: "pending", after: "pending", moved: "moved"},
		"no final block":                 {says: of(final, func(id, _ string) []byte { return result(id, `null`) }), before: "pending", after: "pending", moved: "moved"},
		"a latest block of another time": {says: of(latest, block(0, -time.Hour)), before: "pending", after: "pending", moved: "pending"},
		"another chain after a while":    {says: of("eth_chainId", func(id, _ string) []byte { return result(id, `"0x1"`) }), before: "pending", after: "pending", moved: "pending"},
		"used in the latest block, not in the final one": {
			says: func(called string, n int, id, _ json.RawMessage) []byte {
				if called != "eth_call" {
					return nil
				}
				return result(string(id), map[bool]string{true: one, false: zero}[n%2 == 0])
			},
			before: "pending", after: "pending", moved: "pending", // not used, and then used once: it is not of one mind
		},
		"events of nobody": {says: of("eth_getLogs", func(id, _ string) []byte { return result(id, `[]`) }), before: "pending", after: "unpaid", moved: "moved, nameless"},
		"events of another": {says: of("eth_getLogs", func(id, r string) []byte {
			return result(id, strings.ReplaceAll(r, "0x"+zero[3:27], "0x"+zero[3:26]+"1"))
		}), before: "pending", after: "unpaid", moved: "moved, nameless"},
	} {
		t.Run(name, func(t *testing.T) {
			c, url := chain(t)
			c.Mint(address(t, wallet), 1_000_000)
			l := &liar{node: url, says: tc.says, cut: tc.cut, calls: make(map[string]int)}
			srv := httptest.NewServer(l)
			t.Cleanup(srv.Close)
			m := mustLoad(t, strings.Replace(words, sepolia, sepolia+" "+srv.URL, 1))
			q := quote(requirement(nil))
			intent, proof := pay(t, m, q)
			fate := func(when string, ended time.Duration, want string) {
				clear(l.calls)
				o, err := m.Fate(t.Context(), q, endedBy(t, intent, ended))
				got := "pending"
				switch {
				case o.Kind == payment.OutcomeProven && o.Reference == "":
					got = "moved, nameless"
				case o.Kind == payment.OutcomeProven:
					got = "moved"
				case o.Kind == payment.OutcomeFailed && o.Unpaid:
					got = "unpaid"
				case o.Kind == payment.OutcomeFailed:
					got = "failed"
				}
				if err != nil || got != want {
					t.Errorf("%s: %s, %v; want %s", when, got, err, want)
				}
			}
			fate("before its end", -time.Minute, tc.before)
			fate("after its end", time.Minute, tc.after)
			settle(t, c, q, proof)
			fate("moved", time.Minute, tc.moved)
			l.says, l.cut = nil, false // nothing hangs: the truth counts as soon as it is told
			fate("told the truth", time.Minute, "moved")
		})
	}
}

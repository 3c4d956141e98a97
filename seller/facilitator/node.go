package facilitator

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
)

// rpc is what a node says of the chain.
func (h *Handler) rpc(w http.ResponseWriter, r *http.Request) {
	var call struct {
		ID     json.RawMessage   `json:"id"`
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
	}
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&call) != nil {
		http.Error(w, "not JSON-RPC", http.StatusBadRequest)
		return
	}
	result, ok := h.Chain.node(call.Method, call.Params)
	if !ok {
		write(w, map[string]any{"jsonrpc": "2.0", "id": call.ID, "error": map[string]any{"code": -32602, "message": "invalid params"}})
		return
	}
	write(w, map[string]any{"jsonrpc": "2.0", "id": call.ID, "result": result})
}

const (
	blockTime = 2 * time.Second
	mostLogs  = 2000 // blocks of which it gives the events at once, as many nodes do
)

// block is the number of the block of a moment.
func block(at time.Time) uint64 { return uint64(at.Unix()) / uint64(blockTime/time.Second) }

func hex(n uint64) string { return "0x" + strconv.FormatUint(n, 16) }

func unhex(s string) (uint64, error) {
	digits, ok := strings.CutPrefix(s, "0x")
	if !ok {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseUint(digits, 16, 64)
}

func word(n uint64) string { return eip3009.Hash(eip3009.NewUint256(n)).String() }

var eventUsed = eip3009.Keccak([]byte("AuthorizationUsed(address,bytes32)")).String()

// node answers one call.
func (c *Chain) node(method string, params []json.RawMessage) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := ""
	if len(params) > 0 {
		_ = json.Unmarshal(params[0], &text) // of a call whose first one is no text it is not asked for
	}
	switch method {
	case "eth_chainId":
		return hex(c.id), true
	case "eth_getBlockByNumber":
		return c.blockOf(text), true
	case "eth_call":
		return c.view(params)
	case "eth_getLogs":
		return c.logs(params)
	case "eth_getTransactionReceipt":
		return c.receipt(text)
	}
	return nil, false
}

// blockOf is the block of a number, as far as there is one, or of a tag. c.mu is held.
func (c *Chain) blockOf(tag string) map[string]string {
	at := c.clock()
	if tag == "finalized" {
		at = at.Add(-c.finality)
	}
	if n, err := unhex(tag); err == nil && n <= block(at) {
		return map[string]string{"number": hex(n), "timestamp": hex(n * uint64(blockTime/time.Second))}
	}
	return map[string]string{"number": hex(block(at)), "timestamp": hex(uint64(at.Unix()))}
}

// logs are the uses of a nonce in some blocks. c.mu is held.
func (c *Chain) logs(params []json.RawMessage) (found any, ok bool) {
	var filter struct {
		From   string   `json:"fromBlock"`
		To     string   `json:"toBlock"`
		Topics []string `json:"topics"`
	}
	if len(params) != 1 || json.Unmarshal(params[0], &filter) != nil || len(filter.Topics) != 3 || filter.Topics[0] != eventUsed {
		return nil, false
	}
	from, fromErr := unhex(filter.From)
	to, toErr := unhex(filter.To)
	if fromErr != nil || toErr != nil || to < from || to-from > mostLogs {
		return nil, false
	}
	logs := []any{}
	for i, t := range c.order {
		within := from <= c.blocks[i] && c.blocks[i] <= to
		if within && filter.Topics[1] == padded(t.From) && filter.Topics[2] == t.Nonce.String() {
			logs = append(logs, c.events(t)[0])
		}
	}
	return logs, true
}

// receipt is what a transaction has done. c.mu is held.
func (c *Chain) receipt(transaction string) (found any, ok bool) {
	for _, t := range c.order {
		if t.Transaction.String() == transaction {
			return map[string]any{"status": "0x1", "logs": c.events(t)}, true
		}
	}
	return nil, false
}

var eventTransfer = eip3009.Keccak([]byte("Transfer(address,address,uint256)")).String()

func padded(a eip3009.Address) string {
	var w eip3009.Hash
	copy(w[12:], a[:])
	return w.String()
}

// events are what the token tells of a payment.
func (c *Chain) events(t Transfer) []any {
	return []any{
		map[string]any{
			"address": c.Domain.Contract, "topics": []string{eventUsed, padded(t.From), t.Nonce.String()}, "data": "0x", "logIndex": "0x6",
			"transactionHash": t.Transaction.String(),
		},
		map[string]any{
			"address": c.Domain.Contract, "topics": []string{eventTransfer, padded(t.From), padded(t.To)}, "data": word(t.Value), "logIndex": "0x7",
			"transactionHash": t.Transaction.String(),
		},
	}
}

// The first four bytes of calls of the contract.
const (
	selectBalanceOf          = "0x70a08231" // balanceOf(address)
	selectAuthorizationState = "0xe94a0102" // authorizationState(address,bytes32)
)

// view is a call of the contract. c.mu is held.
func (c *Chain) view(params []json.RawMessage) (any, bool) {
	var call struct {
		To   eip3009.Address `json:"to"`
		Data string          `json:"data"`
	}
	if len(params) != 2 || json.Unmarshal(params[0], &call) != nil {
		return nil, false
	}
	if call.To != c.Domain.Contract {
		return "0x", true
	}
	const selector, each = len(selectBalanceOf), 64 // of the text: a word is 32 bytes in hexadecimal digits
	if len(call.Data) < selector+each {
		return nil, false
	}
	first, err := eip3009.ParseHash("0x" + call.Data[selector:selector+each])
	if err != nil {
		return nil, false
	}
	account := eip3009.Address(first[12:])
	switch {
	case call.Data[:selector] == selectBalanceOf && len(call.Data) == selector+each:
		return word(c.balance(account)), true
	case call.Data[:selector] == selectAuthorizationState && len(call.Data) == selector+2*each:
		nonce, err := eip3009.ParseHash("0x" + call.Data[selector+each:])
		if err != nil {
			return nil, false
		}
		if _, known := c.used[used{account, nonce}]; known {
			return word(1), true
		}
		return word(0), true
	}
	return nil, false
}

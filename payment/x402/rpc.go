package x402

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
)

const (
	rpcTime = 8 * time.Second
	maxRPC  = 1 << 20
)

// node is one JSON-RPC endpoint of a chain. Its URL may hold a secret and is in no error; its answers are not believed further
// than they can be read.
type node struct {
	url    string
	client *http.Client
}

// newClient reaches endpoints as the operator has written them: no proxy of the environment, no redirect.
func newClient() *http.Client {
	return &http.Client{
		Timeout:       rpcTime,
		Transport:     &http.Transport{ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call makes one call. The error says what kind of thing went wrong, and nothing of what was sent or came back.
func (n node) call(ctx context.Context, result any, method string, params ...any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return errors.New("the call can't be written")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("its URL can't be used")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := n.client.Do(req)
	if err != nil {
		return errors.New("it can't be reached")
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxRPC+1))
	if err != nil || len(data) > maxRPC {
		return errors.New("its answer can't be read")
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New("it answers with status " + strconv.Itoa(resp.StatusCode))
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	if json.Unmarshal(data, &answer) != nil {
		return errors.New("its answer is no JSON-RPC")
	}
	if len(answer.Error) > 0 && string(answer.Error) != "null" || len(answer.Result) == 0 || string(answer.Result) == "null" {
		return errors.New("it refuses " + method)
	}
	if json.Unmarshal(answer.Result, result) != nil {
		return errors.New("its answer to " + method + " is of another kind")
	}
	return nil
}

// quantity is a number as Ethereum writes it: 0x and hexadecimal digits.
type quantity uint64

func (q *quantity) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil || !strings.HasPrefix(s, "0x") {
		return errors.New("not a quantity")
	}
	n, err := strconv.ParseUint(s[2:], 16, 64)
	if err != nil || n > 1<<62 {
		return errors.New("not a quantity")
	}
	*q = quantity(n)
	return nil
}

func (q quantity) String() string { return "0x" + strconv.FormatUint(uint64(q), 16) }

// block is what is asked of a block.
type block struct {
	Number    *quantity `json:"number"`
	Timestamp *quantity `json:"timestamp"`
}

// block reads the block of a tag: latest or finalized.
func (n node) block(ctx context.Context, tag string) (number quantity, at time.Time, err error) {
	var b block
	if err := n.call(ctx, &b, "eth_getBlockByNumber", tag, false); err != nil {
		return 0, time.Time{}, err
	}
	if b.Number == nil || b.Timestamp == nil {
		return 0, time.Time{}, errors.New("its block has no number or no time")
	}
	return *b.Number, time.Unix(int64(*b.Timestamp), 0), nil
}

// sameChain says whether the node is one of the chain.
func (n node) sameChain(ctx context.Context, chain uint64) error {
	var id quantity
	if err := n.call(ctx, &id, "eth_chainId"); err != nil {
		return err
	}
	if uint64(id) != chain {
		return errors.New("it is of another chain")
	}
	return nil
}

// The first four bytes of calls.
const (
	selectAuthorizationState = "0xe94a0102" // authorizationState(address,bytes32)
	selectBalanceOf          = "0x70a08231" // balanceOf(address)
)

// read calls a view of a contract, which gives one word.
func (n node) read(ctx context.Context, contract eip3009.Address, selector string, at quantity, words ...eip3009.Hash) (eip3009.Uint256, error) {
	data := selector
	for _, w := range words {
		data += w.String()[2:]
	}
	var result string
	if err := n.call(ctx, &result, "eth_call", map[string]string{"to": contract.String(), "data": data}, at.String()); err != nil {
		return eip3009.Uint256{}, err
	}
	word, err := eip3009.ParseHash(result)
	if err != nil {
		return eip3009.Uint256{}, errors.New("it knows no such contract")
	}
	return eip3009.Uint256(word), nil
}

// used says whether an authorization's nonce was used, at a block.
func (n node) used(ctx context.Context, contract, from eip3009.Address, nonce eip3009.Hash, at quantity) (bool, error) {
	word, err := n.read(ctx, contract, selectAuthorizationState, at, pad(from), nonce)
	if err != nil {
		return false, err
	}
	switch word {
	case eip3009.NewUint256(0):
		return false, nil
	case eip3009.NewUint256(1):
		return true, nil
	}
	return false, errors.New("the contract answers with something else than yes or no")
}

func pad(a eip3009.Address) (w eip3009.Hash) {
	copy(w[12:], a[:])
	return w
}

// logsBack is how many blocks are searched for the transaction: many nodes refuse more.
const logsBack = 2000

var authorizationUsed = eip3009.Keccak([]byte("AuthorizationUsed(address,bytes32)"))

// transaction finds the one that used a nonce; empty where that can't be found out.
func (n node) transaction(ctx context.Context, contract, from eip3009.Address, nonce eip3009.Hash, until quantity) string {
	since := quantity(0)
	if until > logsBack {
		since = until - logsBack
	}
	var logs []struct {
		Transaction string `json:"transactionHash"`
	}
	err := n.call(ctx, &logs, "eth_getLogs", map[string]any{
		"address": contract.String(), "fromBlock": since.String(), "toBlock": until.String(),
		"topics": []string{authorizationUsed.String(), pad(from).String(), nonce.String()},
	})
	if err != nil || len(logs) != 1 {
		return ""
	}
	hash, err := eip3009.ParseHash(logs[0].Transaction)
	if err != nil {
		return ""
	}
	return hash.String()
}

// Package node asks JSON-RPC nodes what has happened on a chain. It can pay nothing, and needs no key.
package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
)

const (
	rpcTime = 8 * time.Second
	maxRPC  = 1 << 20
)

// Node is one JSON-RPC endpoint of a chain. Its URL may hold a secret and is in no error; its answers are not believed further
// than they can be read. Errors say what kind of thing went wrong, in our own words.
type Node struct {
	URL    string
	Client *http.Client
}

// NewClient reaches endpoints as the operator has written them: no proxy of the environment, no redirect.
func NewClient() *http.Client {
	return &http.Client{
		Timeout:       rpcTime,
		Transport:     &http.Transport{ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// callID is the id of all calls. An answer is told apart by the connection that it comes on, and nodes behind proxies, and those that stand for
// one, may give this id back whatever they were sent. Another id is of somebody else's call.
const callID = 1

// call makes one call. The error says what kind of thing went wrong, and nothing of what was sent or came back.
func (n Node) call(ctx context.Context, result any, method string, params ...any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": callID, "method": method, "params": params})
	if err != nil {
		return errors.New("the call can't be written")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("its URL can't be used")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := n.Client.Do(req)
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
		ID     json.RawMessage `json:"id"`
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	if json.Unmarshal(data, &answer) != nil {
		return errors.New("its answer is no JSON-RPC")
	}
	if len(answer.Error) > 0 && string(answer.Error) != "null" || len(answer.Result) == 0 || string(answer.Result) == "null" {
		return errors.New("it refuses " + method)
	}
	if of := strings.Trim(string(answer.ID), `"`); of != "" && of != "null" && of != strconv.Itoa(callID) {
		return errors.New("it answers another's call than " + method)
	}
	if json.Unmarshal(answer.Result, result) != nil {
		return errors.New("its answer to " + method + " is of another kind")
	}
	return nil
}

// Quantity is a number as Ethereum writes it: 0x and hexadecimal digits.
type Quantity uint64

// UnmarshalJSON takes no number above 2^62, so that it may be reckoned with.
func (q *Quantity) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil || !strings.HasPrefix(s, "0x") {
		return errors.New("not a quantity")
	}
	n, err := strconv.ParseUint(s[2:], 16, 64)
	if err != nil || n > 1<<62 {
		return errors.New("not a quantity")
	}
	*q = Quantity(n)
	return nil
}

func (q Quantity) String() string { return "0x" + strconv.FormatUint(uint64(q), 16) }

// block is what is asked of a block.
type block struct {
	Number    *Quantity `json:"number"`
	Timestamp *Quantity `json:"timestamp"`
}

// Block reads number and time of the block of a tag, latest or finalized, or of a number.
func (n Node) Block(ctx context.Context, tag string) (number Quantity, at time.Time, err error) {
	var b block
	if err := n.call(ctx, &b, "eth_getBlockByNumber", tag, false); err != nil {
		return 0, time.Time{}, err
	}
	if b.Number == nil || b.Timestamp == nil {
		return 0, time.Time{}, errors.New("its block has no number or no time")
	}
	if strings.HasPrefix(tag, "0x") && b.Number.String() != tag {
		return 0, time.Time{}, errors.New("it gives another block than was asked for")
	}
	return *b.Number, time.Unix(int64(*b.Timestamp), 0), nil
}

// SameChain says whether the node is one of the chain; nil when it is.
func (n Node) SameChain(ctx context.Context, chain uint64) error {
	var id Quantity
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
func (n Node) read(ctx context.Context, contract eip3009.Address, selector string, at Quantity, words ...eip3009.Hash) (eip3009.Uint256, error) {
	var data strings.Builder
	data.WriteString(selector)
	for _, w := range words {
		data.WriteString(w.String()[2:])
	}
	var result string
	if err := n.call(ctx, &result, "eth_call", map[string]string{"to": contract.String(), "data": data.String()}, at.String()); err != nil {
		return eip3009.Uint256{}, err
	}
	word, err := eip3009.ParseHash(result)
	if err != nil {
		return eip3009.Uint256{}, errors.New("it knows no such contract")
	}
	return eip3009.Uint256(word), nil
}

// Balance is what an address has of a token, at a block.
func (n Node) Balance(ctx context.Context, token, of eip3009.Address, at Quantity) (eip3009.Uint256, error) {
	return n.read(ctx, token, selectBalanceOf, at, pad(of))
}

// Used says whether the nonce of a payer's authorization was used, at a block.
func (n Node) Used(ctx context.Context, token, from eip3009.Address, nonce eip3009.Hash, at Quantity) (bool, error) {
	word, err := n.read(ctx, token, selectAuthorizationState, at, pad(from), nonce)
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

// Paid says whether the use of an authorization's nonce has moved its value to its payee, and by which transaction. A payer
// can use a nonce for something else, and one transaction can hold many payments: so the transfer must be the event right
// after that of the use, which is how the token tells of it.
func (n Node) Paid(ctx context.Context, token eip3009.Address, a eip3009.Authorization, until Quantity) (paid bool, transaction string, err error) {
	use, err := n.use(ctx, token, a.From, a.Nonce, until, a.Ends())
	if err != nil {
		return false, "", err
	}
	var receipt struct {
		Status      json.RawMessage `json:"status"`
		Transaction string          `json:"transactionHash"`
		Logs        []event         `json:"logs"`
	}
	if err := n.call(ctx, &receipt, "eth_getTransactionReceipt", use.Transaction); err != nil {
		return false, "", err
	}
	// By what it is, and not by its place: there are nodes that count the events of a block for one call, and those of a transaction for the other.
	i := slices.IndexFunc(receipt.Logs, func(e event) bool { return e.isUse(token, a.From, a.Nonce) && e.Index != nil })
	if i < 0 || failed(receipt.Status) || receipt.Transaction != "" && !strings.EqualFold(receipt.Transaction, use.Transaction) {
		return false, "", errors.New("its receipt is not of the transaction that it has named") // or a block was replaced in between
	}
	next := *receipt.Logs[i].Index + 1
	if i = slices.IndexFunc(receipt.Logs, func(e event) bool { return e.Index != nil && *e.Index == next }); i < 0 {
		return false, "", errors.New("its transaction is not whole")
	}
	e := receipt.Logs[i]
	return e.is(token, transfer, pad(a.From), pad(a.To)) && strings.EqualFold(e.Data, eip3009.Hash(a.Value).String()), use.Transaction, nil
}

// failed tells whether a receipt says that nothing was done. Some nodes say nothing of it, as none did once, and some in decimal digits; what was
// done is in the events.
func failed(status json.RawMessage) bool {
	digits := strings.TrimPrefix(strings.Trim(string(status), `"`), "0x")
	return digits != "" && strings.Trim(digits, "0") == ""
}

// Package facilitator is an x402 facilitator with a chain of its own in memory: signatures are recovered, nonces and balances
// kept, and a JSON-RPC endpoint tells of them as a node would. It is there for examples and tests; no money is behind it.
package facilitator

import (
	"strconv"
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
)

// Chain is the token contract and the blocks around it. The zero value can't be used; use NewChain.
type Chain struct {
	Network string // CAIP-2
	Domain  eip3009.Domain

	mu       sync.Mutex // protects all following fields
	balances map[eip3009.Address]uint64
	used     map[used]Transfer
	order    []Transfer
	blocks   []uint64 // in which these are
	clock    func() time.Time
	finality time.Duration // how far the finalized block is behind
	id       uint64        // what eth_chainId says
	faucet   uint64        // what everybody has who was never seen before
}

type used struct {
	from  eip3009.Address
	nonce eip3009.Hash
}

// Transfer is a payment that was made.
type Transfer struct {
	From, To    eip3009.Address
	Value       uint64
	Nonce       eip3009.Hash
	Transaction eip3009.Hash
}

// NewChain gives an empty chain on the clock of this machine, whose blocks are final at once.
func NewChain(network string, domain eip3009.Domain) *Chain {
	return &Chain{
		Network: network, Domain: domain, balances: make(map[eip3009.Address]uint64), used: make(map[used]Transfer),
		clock: time.Now, id: domain.ChainID,
	}
}

// Mint gives units of the token to an address.
func (c *Chain) Mint(to eip3009.Address, units uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.balances[to] = c.balance(to) + units
}

// SetFaucet says how many units everybody has who was never seen before.
func (c *Chain) SetFaucet(units uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faucet = units
}

// balance is what an address has. c.mu is held.
func (c *Chain) balance(of eip3009.Address) uint64 {
	if b, seen := c.balances[of]; seen {
		return b
	}
	return c.faucet
}

// Transfers are all payments, the oldest first.
func (c *Chain) Transfers() []Transfer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Transfer(nil), c.order...)
}

// SetClock makes the chain's time that of a function.
func (c *Chain) SetClock(now func() time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock = now
}

// SetFinality says how far behind the latest block the finalized one is.
func (c *Chain) SetFinality(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finality = d
}

// SetID makes the JSON-RPC endpoint one of another chain.
func (c *Chain) SetID(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.id = id
}

// Why a transfer is refused, in the words of the npm packages where they have some.
const (
	badSignature = "invalid_exact_evm_signature"
	noBalance    = "invalid_exact_evm_insufficient_balance"
	nonceUsed    = "invalid_exact_evm_nonce_already_used"
	tooEarly     = "invalid_exact_evm_payload_authorization_valid_after"
	tooLate      = "invalid_exact_evm_payload_authorization_valid_before"
	otherValue   = "invalid_exact_evm_payload_authorization_value"
	otherPayee   = "invalid_exact_evm_recipient_mismatch"
	noPayload    = "invalid_payload"
	otherNetwork = "invalid_network"
)

// check says why an authorization can't be cashed now; empty when it can, or when margin asks whether it could still be then.
// c.mu is held.
func (c *Chain) check(a eip3009.Authorization, s eip3009.Signature, margin time.Duration) string {
	now := uint64(c.clock().Unix())
	from, err := eip3009.Recover(a.Digest(c.Domain), s)
	value, fits := a.Value.Uint64()
	after, fitsAfter := a.ValidAfter.Uint64()
	before, fitsBefore := a.ValidBefore.Uint64()
	_, known := c.used[used{a.From, a.Nonce}]
	switch {
	case err != nil || from != a.From:
		return badSignature
	case !fitsAfter || now <= after:
		return tooEarly
	case fitsBefore && now+uint64(margin/time.Second) >= before:
		return tooLate
	case known:
		return nonceUsed
	case !fits || value > c.balance(a.From):
		return noBalance
	}
	return ""
}

// margin is how long an authorization must still be good when it is verified.
const margin = 6 * time.Second

// verify says why an authorization can't be cashed now, or in a moment; empty when it can. It moves nothing.
func (c *Chain) verify(a eip3009.Authorization, s eip3009.Signature) (refused string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.check(a, s, margin)
}

// transfer moves the money, once for each nonce.
func (c *Chain) transfer(a eip3009.Authorization, s eip3009.Signature) (transaction, refused string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if refused := c.check(a, s, 0); refused != "" {
		return "", refused
	}
	value, _ := a.Value.Uint64()
	c.balances[a.From] = c.balance(a.From) - value
	c.balances[a.To] = c.balance(a.To) + value
	t := Transfer{From: a.From, To: a.To, Value: value, Nonce: a.Nonce}
	t.Transaction = eip3009.Keccak([]byte("transaction "+strconv.Itoa(len(c.order))), a.Nonce[:])
	c.used[used{a.From, a.Nonce}] = t
	c.order, c.blocks = append(c.order, t), append(c.blocks, block(c.clock()))
	return t.Transaction.String(), ""
}

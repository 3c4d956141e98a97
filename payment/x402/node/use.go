package node

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
)

const (
	// logsAtOnce is how many blocks are searched by one call: many nodes refuse more.
	logsAtOnce = 2000
	// mostSearches bounds the calls: of a nonce that was used for something else there is nothing to be found.
	mostSearches = 32
	// usedWithin is how long before its end an authorization is looked for. None lives longer that was taken here.
	usedWithin = time.Hour
)

// event is what is read of a log.
type event struct {
	Address     eip3009.Address `json:"address"`
	Topics      []string        `json:"topics"`
	Data        string          `json:"data"`
	Index       *Quantity       `json:"logIndex"`
	Transaction string          `json:"transactionHash"`
	Block       *Quantity       `json:"blockNumber"`
	Removed     bool            `json:"removed"` // its block was replaced by another one
}

// is tells whether a token's contract has said it, about that.
func (e event) is(token eip3009.Address, topics ...eip3009.Hash) bool {
	return e.Address == token && slices.EqualFunc(e.Topics, topics, func(topic string, t eip3009.Hash) bool {
		return strings.EqualFold(topic, t.String())
	})
}

// isUse tells whether the event is of a nonce's use.
func (e event) isUse(token, from eip3009.Address, nonce eip3009.Hash) bool {
	return !e.Removed && e.is(token, authorizationUsed, pad(from), nonce)
}

var (
	authorizationUsed = eip3009.Keccak([]byte("AuthorizationUsed(address,bytes32)"))
	transfer          = eip3009.Keccak([]byte("Transfer(address,address,uint256)"))
)

// Transaction finds the one that used the nonce of an authorization that ends then; empty where it is not found.
func (n Node) Transaction(ctx context.Context, token, from eip3009.Address, nonce eip3009.Hash, until Quantity, end time.Time) string {
	e, err := n.use(ctx, token, from, nonce, until, end)
	if err != nil {
		return ""
	}
	return e.Transaction
}

// use finds the event that tells of a nonce's use. It is in no block that is later than the end of its authorization, however long ago
// that was: who asks may have been away since.
func (n Node) use(ctx context.Context, token, from eip3009.Address, nonce eip3009.Hash, until Quantity, end time.Time) (event, error) {
	last, err := n.lastBefore(ctx, until, end)
	if err != nil {
		return event{}, err
	}
	for range mostSearches {
		since := last - min(last, logsAtOnce)
		found, err := n.uses(ctx, token, from, nonce, since, last)
		switch {
		case err != nil:
			return event{}, err
		case len(found) == 1 && found[0].Index != nil:
			hash, err := eip3009.ParseHash(found[0].Transaction)
			if err != nil {
				return event{}, errors.New("its transaction has no name")
			}
			found[0].Transaction = hash.String()
			return found[0], nil
		case len(found) > 0 || since == 0:
			return event{}, errNotFound
		}
		at, err := n.timeOf(ctx, since)
		switch {
		case err != nil:
			return event{}, err
		case at.Before(end.Add(-usedWithin)):
			return event{}, errNotFound
		}
		last = since - 1
	}
	return event{}, errNotFound
}

var errNotFound = errors.New("it does not find the transaction")

// uses gives the events of a nonce's use in some blocks: not all nodes mind all that they are asked for.
func (n Node) uses(ctx context.Context, token, from eip3009.Address, nonce eip3009.Hash, since, until Quantity) (found []event, err error) {
	err = n.call(ctx, &found, "eth_getLogs", map[string]any{
		"address": token.String(), "fromBlock": since.String(), "toBlock": until.String(),
		"topics": []string{authorizationUsed.String(), pad(from).String(), nonce.String()},
	})
	return slices.DeleteFunc(found, func(e event) bool {
		return !e.isUse(token, from, nonce) || e.Block != nil && (*e.Block < since || *e.Block > until)
	}), err
}

// lastBefore gives a block after which there is none that is older than a time, and no later one than until. It is not the first such one:
// it is found by few calls.
func (n Node) lastBefore(ctx context.Context, until Quantity, end time.Time) (Quantity, error) {
	if at, err := n.timeOf(ctx, until); err != nil || at.Before(end) {
		return until, err
	}
	before, after := Quantity(0), until // one that is before the end, as far as is known, and one that is not
	for step := Quantity(logsAtOnce); after > 0; step *= 2 {
		probe := after - min(after, step)
		at, err := n.timeOf(ctx, probe)
		if err != nil {
			return 0, err
		}
		if at.Before(end) {
			before = probe
			break
		}
		after = probe
	}
	for after-before > logsAtOnce {
		middle := before + (after-before)/2
		at, err := n.timeOf(ctx, middle)
		if err != nil {
			return 0, err
		}
		if at.Before(end) {
			before = middle
		} else {
			after = middle
		}
	}
	return after, nil
}

// timeOf is when a block was made.
func (n Node) timeOf(ctx context.Context, block Quantity) (time.Time, error) {
	_, at, err := n.Block(ctx, block.String())
	return at, err
}

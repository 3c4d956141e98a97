package x402

import (
	"context"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/node"
)

// staleAfter is how old the latest block of a node may be: an older one says nothing of what goes on now.
const staleAfter = time.Minute

// network is a network of the config, resolved.
type network struct {
	id     string
	domain eip3009.Domain
	nodes  []node.Node
}

// fate is what a chain says of an authorization.
type fate uint8

const (
	unknown fate = iota // nothing that could be relied on
	open                // not used, and it may still be
	ended               // not used by the latest block, whose time is past its end; that block may still be replaced
	moved               // the money has moved
	never               // it has not, and never will
)

// ask asks all nodes of the network what became of an authorization. Only what all say counts: one that is away, behind, of
// another chain or of another opinion makes it unknown.
func (n *network) ask(ctx context.Context, in intent, nonce eip3009.Hash) (f fate) {
	for i, one := range n.nodes {
		says, err := askNode(ctx, one, n.domain.ChainID, in, nonce)
		if err != nil || i > 0 && says != f {
			return unknown
		}
		f = says
	}
	return f
}

// transaction finds the one that has moved the money, where a node tells it in half of the time that there is: it is looked for by many calls
// where that was long ago, and what is known already is not to be lost for a name.
func (n *network) transaction(ctx context.Context, in intent, nonce eip3009.Hash) string {
	if end, ok := ctx.Deadline(); ok {
		half, cancel := context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
		ctx = half
	}
	for _, one := range n.nodes {
		latest, _, err := one.Block(ctx, "latest")
		if err != nil {
			continue
		}
		if found := one.Transaction(ctx, in.Asset, in.From, nonce, latest, in.expires()); found != "" {
			return found
		}
	}
	return ""
}

func askNode(ctx context.Context, n node.Node, chain uint64, in intent, nonce eip3009.Hash) (fate, error) {
	if err := n.SameChain(ctx, chain); err != nil {
		return unknown, err
	}
	latest, now, err := n.Block(ctx, "latest")
	if err != nil {
		return unknown, err
	}
	if time.Since(now) > staleAfter {
		return unknown, nil
	}
	used, err := n.Used(ctx, in.Asset, in.From, nonce, latest)
	if err != nil {
		return unknown, err
	}
	if used {
		return moved, nil
	}
	// What a block says that can still be replaced is no proof that nothing will come.
	final, at, err := n.Block(ctx, "finalized")
	if err != nil {
		return unknown, err
	}
	switch {
	case now.Before(in.expires()):
		return open, nil
	case at.Before(in.expires()), final > latest, final < latest && at.After(now): // one that is later than the latest proves nothing
		return ended, nil
	}
	if used, err = n.Used(ctx, in.Asset, in.From, nonce, final); err != nil {
		return unknown, err
	}
	if used {
		return unknown, nil // used once, and not used later: this node is not of one mind
	}
	return never, nil
}

// withoutRPC is what an operator is told of a network that nobody can be asked about.
const withoutRPC = "without an RPC nobody can know what became of a payment that a seller refuses: it is booked as disputed when its " +
	"authorization has ended"

// standing asks the first node for the balance, and all whether they are there.
func (n *network) standing(ctx context.Context, wallet eip3009.Address) payment.Standing {
	s := payment.Standing{Network: n.id, Address: wallet.String(), CheckedAt: time.Now().UTC()}
	if len(n.nodes) == 0 {
		s.Warnings = []string{withoutRPC}
	}
	for i, one := range n.nodes {
		err := one.SameChain(ctx, n.domain.ChainID)
		var latest node.Quantity
		var at time.Time
		if err == nil {
			latest, at, err = one.Block(ctx, "latest")
		}
		var balance eip3009.Uint256
		if err == nil {
			balance, err = one.Balance(ctx, n.domain.Contract, wallet, latest)
		}
		if err != nil {
			s.Error = nodeName(i) + " of " + n.id + ": " + err.Error()
			return s
		}
		if behind := int64(time.Since(at) / time.Second); i == 0 || behind > *s.ChainBehindSeconds {
			s.ChainBehindSeconds = &behind
		}
		if micros, fits := balance.Uint64(); i == 0 && fits && micros < 1<<62 {
			s.BalanceMicros = new(money.Micros(micros))
		}
	}
	return s
}

func nodeName(i int) string {
	if i == 0 {
		return "the first RPC"
	}
	return "another RPC"
}

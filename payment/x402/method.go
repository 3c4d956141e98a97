// Package x402 pays sellers in USDC by the x402 protocol, version 2: the payment is a signed authorization that the seller
// hands to its facilitator, which moves the money on the chain.
//
// The money moves inside the seller's complete step, if it moves. A refusal there is no "no", and an answer that was lost
// no "yes": only the chain knows. So a purchase has one authorization with a nonce of its own, which is in the journal before
// it leaves, is sent again as often as need be, and is never replaced by another; and what became of it is read from
// finalized blocks.
package x402

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
)

// The headers of the protocol.
const (
	HeaderSignature = "Payment-Signature"
	HeaderResponse  = "Payment-Response"
)

const (
	// lastMoment is how long before its end an authorization is no longer shown: facilitators refuse it then.
	lastMoment = 6 * time.Second
	// afterwards is how long after the end of an authorization a seller may still need to say how it went.
	afterwards = 15 * time.Second

	leastPatience = 30 * time.Second
	mostPatience  = 2 * time.Minute
)

// Method pays by x402.
type Method struct {
	Config

	key        *eip3009.Key
	networks   []*network
	maxPayment money.Micros // 0: none of its own
	dailyLimit money.Micros
	validFor   time.Duration
	payees     map[string][]eip3009.Address
	client     *http.Client
}

// CaddyModule returns the Caddy module information.
func (*Method) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: caddy.ModuleID(payment.Namespace + ".x402"), New: func() caddy.Module { return new(Method) }}
}

// Provision resolves the config. It reaches no chain.
func (m *Method) Provision(ctx caddy.Context) error {
	repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		repl = caddy.NewReplacer()
	}
	return m.resolve(repl) // Caddy says of which module it is
}

// Cleanup lets go of connections. Calls may still come.
func (m *Method) Cleanup() error {
	if m.client != nil {
		m.client.CloseIdleConnections()
	}
	return nil
}

// Check finds a way to pay that is right in all points: on one of our networks, in the token that we know there, for exactly
// the amount of the order, to a payee that may be paid.
func (m *Method) Check(q payment.Quote, ceiling money.Micros) error {
	_, err := m.check(q, ceiling)
	return err
}

func (m *Method) check(q payment.Quote, ceiling money.Micros) (offer, error) {
	switch {
	case q.AmountMicros <= 0 || q.AmountMicros > ceiling:
		return offer{}, errors.New("the order asks for more than was asked for")
	case m.maxPayment > 0 && q.AmountMicros > m.maxPayment:
		return offer{}, fmt.Errorf("the order is for $%s, and max_payment of x402 is $%s", q.AmountMicros, m.maxPayment)
	}
	o, err := choose(q.Payment, q.AmountMicros, m.networks, m.key.Address())
	if err != nil {
		return offer{}, err
	}
	if allowed, pinned := m.payees[q.SellerID]; pinned && !slices.Contains(allowed, o.payTo) {
		return offer{}, errors.New("the seller wants another address paid than those that payee names for it")
	}
	return o, nil
}

// Prepare chooses what will be signed. It signs nothing.
func (m *Method) Prepare(_ context.Context, q payment.Quote) (json.RawMessage, error) {
	o, err := m.check(q, q.AmountMicros)
	if err != nil {
		return nil, err
	}
	// A seller that may cash for a day is given a minute all the same; what it is sent back as accepted is what it wrote.
	valid := min(int64(m.validFor/time.Second), o.timeout)
	d := o.network.domain
	return intent{
		Network: o.network.id, Asset: d.Contract, Name: d.Name, Version: d.Version, From: m.key.Address(), To: o.payTo, Value: o.amount,
		ValidBefore: time.Now().Unix() + valid, Nonce: Nonce(q.Origin, q.PurchaseID).String(), Accepted: o.raw, Resource: o.resource,
	}.encode()
}

// Pay signs. The same intent gives the same bytes each time, so it pays once however often it is called. It moves no money
// itself: the proof does when the seller has it, which is after this is durable.
func (m *Method) Pay(ctx context.Context, _ payment.Quote, raw json.RawMessage) (payment.Outcome, error) {
	in, err := readIntent(raw)
	if err != nil {
		return payment.Outcome{}, err
	}
	if time.Until(in.expires()) <= lastMoment {
		// Too late to be cashed, and it has not left: it goes out in completing only. Unless this journal is an older copy, which
		// has forgotten that it did; the chain has not. That the key is another one by now changes nothing about it.
		switch f, err := m.cashed(ctx, in); {
		case err != nil:
			return payment.Outcome{}, err
		case f == unknown:
			return payment.Pending().Because("the chain can't be asked whether the authorization was cashed"), nil
		case f == open:
			return payment.Pending().Because("it is too late to show the authorization; if the seller has been shown it before, it may still cash it"), nil
		case f != moved: // the latest block is enough: that it was shown at all only an older copy has forgotten
			return payment.Failed(true).Because("the authorization has ended before it was shown to the seller"), nil
		}
	}
	proof, err := in.sign(m.key)
	if err != nil {
		return payment.Outcome{}, err
	}
	return payment.Proven(proof), nil
}

// cashed asks the chain what became of an authorization. On a network without an RPC there is nobody to ask, and what the journal says
// holds: it was never shown.
func (m *Method) cashed(ctx context.Context, in intent) (fate, error) {
	n := m.network(in.Network)
	if n == nil {
		return unknown, fmt.Errorf("this purchase was to be paid on %s, which is not in the config any more", in.Network)
	}
	if len(n.nodes) == 0 {
		return never, nil
	}
	nonce, err := eip3009.ParseHash(in.Nonce)
	if err != nil {
		return unknown, err
	}
	return n.ask(ctx, in, nonce), nil
}

// Track does what Pay does: signing again is how to find out.
func (m *Method) Track(ctx context.Context, q payment.Quote, raw json.RawMessage) (payment.Outcome, error) {
	return m.Pay(ctx, q, raw)
}

// TrackRestored is Track for a journal that may have forgotten that the authorization was shown. After its end only a chain can tell
// whether it was cashed: on a network without an RPC nobody knows.
func (m *Method) TrackRestored(ctx context.Context, q payment.Quote, raw json.RawMessage) (payment.Outcome, error) {
	in, err := readIntent(raw)
	if err != nil {
		return payment.Outcome{}, err
	}
	if n := m.network(in.Network); n == nil || len(n.nodes) > 0 || time.Until(in.expires()) > lastMoment {
		return m.Track(ctx, q, raw)
	}
	if time.Until(in.expires()) > -afterwards {
		return payment.Pending(), nil
	}
	return payment.Failed(false).Because("the books are a backup's, and without an RPC nobody can know whether the authorization was cashed"), nil
}

// Fate reads from the chain what became of an authorization that the seller was shown: Proven where the money has moved,
// Failed(true) where it never can any more, and Pending in between, or where what the chain says can't be relied on. On a
// network without an RPC nobody can know: after the end of the authorization that is Failed(false).
func (m *Method) Fate(ctx context.Context, _ payment.Quote, raw json.RawMessage) (payment.Outcome, error) {
	in, err := readIntent(raw)
	if err != nil {
		return payment.Outcome{}, err
	}
	nonce, err := eip3009.ParseHash(in.Nonce)
	if err != nil {
		return payment.Outcome{}, err
	}
	n := m.network(in.Network)
	if n == nil {
		return payment.Outcome{}, fmt.Errorf("this purchase was paid on %s, which is not in the config any more", in.Network)
	}
	if len(n.nodes) == 0 {
		if time.Until(in.expires()) > -afterwards {
			return payment.Pending(), nil
		}
		return payment.Failed(false).Because("the authorization has ended, and without an RPC nobody can know whether it was cashed"), nil
	}
	switch n.ask(ctx, in, nonce) {
	case moved:
		return payment.Proven(json.RawMessage("{}")).As(n.transaction(ctx, in, nonce)), nil
	case never:
		return payment.Failed(true).Because("the authorization has ended without being cashed"), nil
	case open, ended:
		return payment.Pending().Because("the seller may still cash the authorization"), nil
	}
	return payment.Pending().Because("the chain can't be asked what became of the authorization"), nil
}

// Patience is how long one complete may take: the seller's facilitator may wait for the chain as long as the authorization
// lives.
func (m *Method) Patience(_ payment.Quote, raw json.RawMessage) time.Duration {
	in, err := readIntent(raw)
	if err != nil {
		return leastPatience
	}
	return min(max(time.Until(in.expires())+afterwards, leastPatience), mostPatience)
}

// Present gives the header in which stock sellers look for the proof.
func (m *Method) Present(proof json.RawMessage) http.Header {
	return http.Header{HeaderSignature: {base64.StdEncoding.EncodeToString(proof)}}
}

// MostPerDay is the daily limit.
func (m *Method) MostPerDay() money.Micros { return m.dailyLimit }

// Payee is the address that a quote wants paid; empty where the operator has named those of the seller.
func (m *Method) Payee(q payment.Quote) string {
	o, err := m.check(q, q.AmountMicros)
	if _, named := m.payees[q.SellerID]; named || err != nil {
		return ""
	}
	return o.payTo.String()
}

// Address is the wallet's.
func (m *Method) Address() string { return m.key.Address().String() }

// Deadline is the end of the authorization: until then the seller can have it cashed.
func (m *Method) Deadline(_ payment.Quote, raw json.RawMessage) time.Time {
	in, err := readIntent(raw)
	if err != nil {
		return time.Time{}
	}
	return in.expires()
}

// Health says how the wallet stands on each network. It asks their RPCs.
func (m *Method) Health(ctx context.Context) []payment.Standing {
	all := make([]payment.Standing, len(m.networks))
	var asked sync.WaitGroup
	for i, n := range m.networks {
		asked.Go(func() { all[i] = n.standing(ctx, m.key.Address()) })
	}
	asked.Wait()
	if warning := m.keyFile(); warning != "" && len(all) > 0 {
		all[0].Warnings = append(all[0].Warnings, warning)
	}
	return all
}

// keyFile says what is wrong with the file that the key is in, if it is in one.
func (m *Method) keyFile() string {
	path, isFile := strings.CutPrefix(m.Key, "{file.")
	if !isFile || runtime.GOOS == "windows" {
		return ""
	}
	path = strings.TrimSuffix(path, "}")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return ""
	}
	return "the key's file can be read by others than its owner: chmod 600 " + path
}

var (
	_ payment.Method        = (*Method)(nil)
	_ payment.Fate          = (*Method)(nil)
	_ payment.Restored      = (*Method)(nil)
	_ payment.Patience      = (*Method)(nil)
	_ payment.Present       = (*Method)(nil)
	_ payment.Receipt       = (*Method)(nil)
	_ payment.Bounded       = (*Method)(nil)
	_ payment.Payee         = (*Method)(nil)
	_ payment.Deadline      = (*Method)(nil)
	_ payment.Health        = (*Method)(nil)
	_ caddy.Provisioner     = (*Method)(nil)
	_ caddy.CleanerUpper    = (*Method)(nil)
	_ caddyfile.Unmarshaler = (*Method)(nil)
)

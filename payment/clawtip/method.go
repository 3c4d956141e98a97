// Package clawtip pays sellers by handing an order over to the program of the ClawTip rail, or to a human who runs it: an
// order file goes out, a credential comes back in it.
//
// What is sealed in an order only the rail can read, and what a credential says only the seller. So what is paid is bounded
// by what the order says in clear, and a human compares the amount on the rail's own page.
package clawtip

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/internal/program"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const (
	runTime = 25 * time.Second
	// giveUpAfter is how long after the end of its order a payment that nobody has made is waited for.
	giveUpAfter = 24 * time.Hour
)

// Method pays by ClawTip.
type Method struct {
	Config

	folder folder
	rate   rate
	most   fen // 0: none
	logger *zap.Logger

	mu      sync.Mutex
	running map[string]bool // the purchases whose program is running
}

// CaddyModule returns the Caddy module information.
func (*Method) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: caddy.ModuleID(payment.Namespace + ".clawtip"), New: func() caddy.Module { return new(Method) }}
}

// Provision resolves the config. It writes no file and runs nothing.
func (m *Method) Provision(ctx caddy.Context) error {
	repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		repl = caddy.NewReplacer()
	}
	m.logger = ctx.Logger(m)
	m.running = make(map[string]bool)
	return m.resolve(ctx, repl) // Caddy says of which module it is
}

// Check reads the order: its members are of the alphabets that files and arguments may have, its amount is no more than the
// rate allows, and its payee may be paid.
func (m *Method) Check(q payment.Quote, ceiling money.Micros) error {
	if q.AmountMicros <= 0 || q.AmountMicros > ceiling {
		return errors.New("the order asks for more than was asked for")
	}
	_, err := m.check(q)
	return err
}

func (m *Method) check(q payment.Quote) (order, error) {
	o, err := readOrder(q.Payment)
	if err != nil {
		return order{}, err
	}
	if err := o.check(q.AmountMicros, m.rate, m.most); err != nil {
		return order{}, err
	}
	if allowed, named := m.Payees[q.SellerID]; named && !slices.Contains(allowed, o.PayTo) {
		return order{}, errors.New("the seller wants another account paid than those that payee names for it")
	}
	return o, nil
}

// intent is the order that was checked: what is paid whatever the config says by then.
type intent struct {
	Order      order     `json:"order"`
	PreparedAt time.Time `json:"preparedAt"`
}

// Prepare keeps the order. Its number is the rail's own key: an order is paid once.
func (m *Method) Prepare(_ context.Context, q payment.Quote) (json.RawMessage, error) {
	o, err := m.check(q)
	if err != nil {
		return nil, err
	}
	// A seller that names the number of an order that was made before would have the old credential taken for a new one.
	if err := m.folder.free(o, q.PurchaseID); err != nil {
		return nil, err
	}
	return json.Marshal(intent{Order: o, PreparedAt: time.Now().UTC()})
}

func readIntent(raw json.RawMessage) (in intent, err error) {
	if wire.Decode(raw, &in) != nil || in.Order.OrderNo == "" {
		return intent{}, errors.New("the intent can't be read")
	}
	return in, nil
}

// ends is when the order is over. Where the seller has not said, a day is enough.
func (in intent) ends(q payment.Quote) time.Time {
	if q.ExpiresAt.IsZero() {
		return in.PreparedAt.Add(giveUpAfter)
	}
	return q.ExpiresAt
}

// Pay writes the order file and runs the program, or leaves that to a human. It may be called again when the human has
// authorised: the same order is paid, by the same number. A credential that is there already is not paid for again.
func (m *Method) Pay(ctx context.Context, q payment.Quote, raw json.RawMessage) (payment.Outcome, error) {
	in, err := readIntent(raw)
	if err != nil {
		return payment.Outcome{}, err
	}
	o := in.Order
	if !m.enter(q.PurchaseID) {
		return payment.Pending().Because("the program is running"), nil
	}
	defer m.leave(q.PurchaseID)
	content, err := o.content(q)
	if err != nil {
		return payment.Outcome{}, errors.New("the order can't be written as JSON")
	}
	n, err := m.folder.claim(o, q.PurchaseID, content)
	if errors.Is(err, errForeign) {
		return payment.NeedsHuman("", "the order file is not as it was written: look at it, and say whether the order was paid ("+o.ask(q)+")").
			As(o.OrderNo), nil
	}
	if err != nil {
		return payment.Outcome{}, err
	}
	if out, done := m.credential(q, o); done {
		return out, nil
	}
	if len(m.Run) == 0 {
		return m.human(q, in, n), nil
	}
	s := m.run(ctx, q, o)
	if s.human {
		n.Link = s.link
		if credential, _, err := m.folder.look(o, q.PurchaseID); err == nil && credential != "" {
			n.Stale = sum(credential)
		}
		if err := m.folder.mark(o, n); err != nil {
			return payment.Outcome{}, err
		}
		return m.human(q, in, n), nil
	}
	if out, done := m.credential(q, o); done {
		return out, nil
	}
	return payment.Outcome{}, errors.New("the program has said neither that it was paid nor what is to be done")
}

// run runs the program. What it says is read whatever its exit code is: the credential is judged by the seller, and a link by
// the human.
func (m *Method) run(ctx context.Context, q payment.Quote, o order) said {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	p := program.Program{Path: m.Run[0]}
	for _, arg := range m.Run[1:] {
		p.Args = append(p.Args, fill(arg, o.OrderNo, o.Indicator))
	}
	for _, name := range []string{"HOME", "USERPROFILE"} {
		if value, ok := os.LookupEnv(name); ok {
			p.Env = append(p.Env, name+"="+value)
		}
	}
	r := p.Run(ctx, nil)
	s := listen(r.Stdout)
	if r.Err != nil || s.broken {
		m.logger.Warn("payment.clawtip.unclear", zap.String("seller", q.SellerID), zap.String("purchase", q.PurchaseID),
			zap.Int("exit_code", r.ExitCode), zap.Int("stderr_bytes", r.StderrBytes), zap.Bool("rail_down", s.broken), zap.Error(r.Err))
	}
	return s
}

// credential looks for one in the order file that counts.
func (m *Method) credential(q payment.Quote, o order) (payment.Outcome, bool) {
	credential, n, err := m.folder.look(o, q.PurchaseID)
	if err != nil || credential == "" || sum(credential) == n.Stale {
		return payment.Outcome{}, false
	}
	proof, err := json.Marshal(map[string]string{"payCredential": credential})
	if err != nil {
		return payment.Outcome{}, false
	}
	return payment.Proven(proof).As(o.OrderNo), true
}

func sum(credential string) string {
	h := sha256.Sum256([]byte(credential))
	return hex.EncodeToString(h[:])
}

// human is what a human is to do.
func (m *Method) human(q payment.Quote, in intent, n note) payment.Outcome {
	text := in.Order.ask(q)
	if time.Now().After(in.ends(q)) {
		text = "the order has expired: say whether it was paid (" + text + ")"
	}
	if len(m.Run) == 0 {
		text += fmt.Sprintf("; run the rail's program with --order-no %s --indicator %s", in.Order.OrderNo, in.Order.Indicator)
	}
	return payment.NeedsHuman(n.Link, text).As(in.Order.OrderNo)
}

// Track reads the order file and runs nothing.
func (m *Method) Track(_ context.Context, q payment.Quote, raw json.RawMessage) (payment.Outcome, error) {
	in, err := readIntent(raw)
	if err != nil {
		return payment.Outcome{}, err
	}
	if out, done := m.credential(q, in.Order); done {
		return out, nil
	}
	m.mu.Lock()
	running := m.running[q.PurchaseID]
	m.mu.Unlock()
	if running {
		return payment.Pending().Because("the program is running"), nil
	}
	if time.Now().After(in.ends(q).Add(giveUpAfter)) {
		return payment.Failed(false).As(in.Order.OrderNo).Because("the order is long over, and whether it was paid can't be known here"), nil
	}
	_, n, err := m.folder.look(in.Order, q.PurchaseID)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errForeign):
		// Pay was never reached, or somebody has cleared the folder up. To pay again is safe: by the same order number.
		out := m.human(q, in, n)
		out.Text = "the order file is not there any more; approve the purchase and it is written again: " + out.Text
		return out, nil
	case err != nil:
		return payment.Outcome{}, err
	}
	return m.human(q, in, n), nil
}

// Fate is asked when the seller has refused the credential: it says that the rail has not paid, and the payer may pay the
// same order again, as long as it lasts. After that nobody here can know.
func (m *Method) Fate(_ context.Context, q payment.Quote, raw json.RawMessage) (payment.Outcome, error) {
	in, err := readIntent(raw)
	if err != nil {
		return payment.Outcome{}, err
	}
	if time.Now().Before(in.ends(q)) {
		return payment.Pending().As(in.Order.OrderNo).Because("the seller does not take the credential; the order can still be paid"), nil
	}
	return payment.Failed(false).As(in.Order.OrderNo).Because("the seller does not take the credential, and what it says can't be read here"), nil
}

// Deadline is the end of the order.
func (m *Method) Deadline(q payment.Quote, raw json.RawMessage) time.Time {
	in, err := readIntent(raw)
	if err != nil {
		return time.Time{}
	}
	return in.ends(q)
}

// Ended takes the order's files away.
func (m *Method) Ended(q payment.Quote, raw json.RawMessage) {
	in, err := readIntent(raw)
	if err != nil {
		return
	}
	if err := m.folder.remove(in.Order, q.PurchaseID); errors.Is(err, errFolder) {
		m.logger.Warn("payment.clawtip.left", zap.String("purchase", q.PurchaseID), zap.Error(err))
	}
}

// Payee is the account that a quote wants paid; empty where the operator has named those of the seller.
func (m *Method) Payee(q payment.Quote) string {
	o, err := m.check(q)
	if _, named := m.Payees[q.SellerID]; named || err != nil {
		return ""
	}
	return o.PayTo
}

func (m *Method) enter(purchase string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running[purchase] {
		return false
	}
	m.running[purchase] = true
	return true
}

func (m *Method) leave(purchase string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.running, purchase)
}

var (
	_ payment.Method        = (*Method)(nil)
	_ payment.Fate          = (*Method)(nil)
	_ payment.Ending        = (*Method)(nil)
	_ payment.Payee         = (*Method)(nil)
	_ caddy.Provisioner     = (*Method)(nil)
	_ caddyfile.Unmarshaler = (*Method)(nil)
)

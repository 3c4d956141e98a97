package purchase

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

const (
	// walletsEvery is how often wallets are compared with the books where nobody looks.
	walletsEvery = 5 * time.Minute
	// walletSteady is how long a wallet and the books must have said the same before that is taken to be so: nodes of a chain may be
	// behind each other.
	walletSteady = 2 * time.Minute
	// missingNews is how long it is told that money is missing.
	missingNews = 7 * 24 * time.Hour
)

// walletBooks is a Journal that keeps what was put into the wallets of methods; *ledger.Ledger is one.
type walletBooks interface {
	Wallet(ctx context.Context, method string) (w ledger.Wallet, paid money.Micros, err error)
	KeepWallet(ctx context.Context, method string, was, is ledger.Wallet) error
}

// sight is what was put into a method's wallet, as its balance and the books balanceOf say.
type sight struct {
	of     string // as ledger.Wallet has it
	filled money.Micros
	since  time.Time // when it was first seen so
}

// balanceOf sums a method's balances up. The sum is known where all are, and it is one that can be.
func balanceOf(of []PaymentStanding) (names string, balance money.Micros, known bool) {
	var b strings.Builder
	for _, s := range of {
		if s.BalanceMicros == nil || s.Error != "" || *s.BalanceMicros < 0 || *s.BalanceMicros > money.Max-balance {
			return "", 0, false
		}
		b.WriteString(s.Network + " " + s.Address + "\n")
		balance += *s.BalanceMicros
	}
	return b.String(), balance, len(of) > 0
}

// compareWallets says of each method by how much more has left its wallet than the books know. health.mu is held.
func (d *Desk) compareWallets(ctx context.Context, all []PaymentStanding) {
	books, ok := d.journal.(walletBooks)
	for first := 0; ok && first < len(all); {
		end := first + 1
		for end < len(all) && all[end].Method == all[first].Method {
			end++
		}
		if of, balance, known := balanceOf(all[first:end]); known {
			d.compareWallet(ctx, books, &all[first], of, balance)
		}
		first = end
	}
}

// compareWallet compares one. The balance is older than what the books say: a purchase in between makes the wallet look fuller.
func (d *Desk) compareWallet(ctx context.Context, books walletBooks, s *PaymentStanding, of string, balance money.Micros) {
	was, paid, err := books.Wallet(ctx, s.Method)
	if err != nil {
		return
	}
	now := time.Now().UTC().Truncate(time.Second)
	seen := sight{of, balance + paid, now}
	steady := false
	// While a purchase is open the books may be ahead of the chain.
	if !d.buysBy(s.Method) {
		before := d.health.sights[s.Method]
		if before.of == seen.of && before.filled == seen.filled {
			seen.since = before.since
		}
		d.health.sights[s.Method] = seen
		steady = now.Sub(seen.since) >= walletSteady
	}
	is, missing := reconcile(was, seen, steady, now)
	if is != was {
		if err := books.KeepWallet(ctx, s.Method, was, is); err == nil && was.MissingSince.IsZero() && missing > 0 {
			d.log.Warn("wallet.missing", zap.String("method", s.Method), zap.Int64("missingMicros", int64(missing)))
		}
	}
	if missing > 0 {
		s.MissingMicros, s.MissingSince = missing, is.MissingSince
	}
}

// reconcile says what is to be kept of a wallet, and what is missing in it.
func reconcile(was ledger.Wallet, seen sight, steady bool, now time.Time) (is ledger.Wallet, missing money.Micros) {
	anew := ledger.Wallet{Of: seen.of, FilledMicros: seen.filled}
	if was.Of != seen.of { // another wallet, or the first one
		if steady {
			return anew, 0
		}
		return was, 0
	}
	is, missing = was, was.FilledMicros-seen.filled
	switch {
	case missing <= 0:
		is.MissingSince = time.Time{}
		if steady {
			is = anew // somebody has put money in
		}
		return is, 0
	case was.MissingSince.IsZero():
		is.MissingSince = now
	case steady && now.Sub(was.MissingSince) >= missingNews:
		return anew, 0
	}
	return is, missing
}

// buysBy tells whether a purchase by a method is open.
func (d *Desk) buysBy(method string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.flights {
		if f.method == method {
			return true
		}
	}
	return false
}

// watchWallets looks at the wallets now and then, so that there is something to compare with when it matters.
func (d *Desk) watchWallets() {
	tick := time.NewTicker(walletsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.Payments(d.ctx)
		case <-d.ctx.Done():
			return
		}
	}
}

package prewarm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// till sells tokens of an hour.
type till struct {
	delay  time.Duration // of each answer
	mu     sync.Mutex
	orders []time.Time
}

func (s *till) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked struct{ AmountMicros int64 }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	time.Sleep(s.delay)
	s.mu.Lock()
	defer s.mu.Unlock()
	body := fmt.Sprintf(`{"orderId":"o","amountMicros":%d,"currency":"USD"}`, asked.AmountMicros)
	if strings.HasSuffix(r.URL.Path, wire.PurchaseCompletePath) {
		body = fmt.Sprintf(`{"accessToken":"t%d","creditMicros":5000000,"expiresAt":%q}`,
			len(s.orders), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	} else {
		s.orders = append(s.orders, time.Now())
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (s *till) sold() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.orders)
}

func (s *till) want() purchase.Want {
	return purchase.Want{
		SellerID: "a", Origin: "https://a.example", BaseURL: "https://a.example", Model: "m",
		Methods: []purchase.NamedMethod{{Name: "mock", Method: payment.Mock{}}}, Transport: s, Likely: 1, Bound: 1,
	}
}

// trading runs f in a bubble with a desk on a ledger in memory, a seller and a Warmer whose interval is a minute.
func trading(t *testing.T, daily money.Micros, f func(*testing.T, *Warmer, *purchase.Desk, *till, *market)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l, err := ledger.Open(ledger.Options{InMemory: true, Key: make([]byte, 32)})
		if err != nil {
			t.Fatal(err)
		}
		desk := purchase.NewDesk(l, purchase.DeskOptions{})
		desk.SetTerms(purchase.Terms{
			Amount: 5 * money.USD, RebuyBelow: money.USD / 10, DailyLimit: daily, SessionLimit: -1, SellerLimit: -1, ExpiryMargin: time.Minute,
		})
		desk.Start(t.Context())
		w := New(Options{Desk: desk})
		seller, m := new(till), newMarket()
		m.offer("m", "a")
		m.want = func(string) (purchase.Want, bool) { return seller.want(), true }
		site := w.Join(m.options("m"))
		f(t, w, desk, seller, m)
		site.Leave()
		w.Close()
		desk.Close()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

func lease(t *testing.T, d *purchase.Desk, w purchase.Want) *purchase.Lease {
	t.Helper()
	l, err := d.Lease(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// In use for two hours, no request but the first waits for a purchase, and each token is replaced within its last three
// intervals.
func TestNoRequestWaitsForWhatCouldBeSeenComing(t *testing.T) {
	trading(t, 1000*money.USD, func(t *testing.T, w *Warmer, d *purchase.Desk, seller *till, _ *market) {
		first := time.Now()
		seller.delay = time.Millisecond
		for i := range 2 * 60 {
			asked := time.Now()
			l := lease(t, d, seller.want())
			if waited := time.Since(asked); (waited > 0) != (i == 0) {
				t.Fatalf("request %d waited for %s", i, waited)
			}
			l.Served()
			l.Return(-1)
			pass(time.Minute)
		}
		// Each lives for 59 minutes; the next is bought when three are left, at the first sweep after that.
		for i, at := range seller.orders[1:] {
			if since := at.Sub(seller.orders[i]); since < 56*time.Minute || since > 57*time.Minute {
				t.Errorf("token %d was bought %s after the one before", i+1, since)
			}
		}
		if n := seller.sold(); n != 3 || time.Since(first).Round(time.Second) != 2*time.Hour {
			t.Errorf("%d tokens bought", n)
		}
		if s := w.Status().Scheduler; s.Renewals != 2 || s.RenewalsRefused != 0 {
			t.Errorf("scheduler %+v", s)
		}
	})
}

func TestUnusedTokensAreNotRenewed(t *testing.T) {
	trading(t, 1000*money.USD, func(t *testing.T, _ *Warmer, d *purchase.Desk, seller *till, _ *market) {
		lease(t, d, seller.want()).Return(-1)
		pass(53 * time.Minute)
		lease(t, d, seller.want()).Return(-1) // just over two intervals before the renewal would be due
		pass(2 * time.Hour)
		if n := seller.sold(); n != 1 {
			t.Errorf("%d tokens bought", n)
		}
	})
}

func TestRenewalNeedsASite(t *testing.T) {
	trading(t, 1000*money.USD, func(t *testing.T, w *Warmer, d *purchase.Desk, seller *till, m *market) {
		m.want = func(string) (purchase.Want, bool) { return purchase.Want{}, false }
		lease(t, d, seller.want()).Return(-5*money.USD + 10)
		pass(90 * time.Second)
		if n := seller.sold(); n != 1 {
			t.Errorf("%d tokens bought from a seller that is gone", n)
		}
		other := newMarket()
		other.want = func(id string) (purchase.Want, bool) { return seller.want(), id == "a" }
		site := w.Join(other.options())
		defer site.Leave()
		pass(11 * time.Second) // after the jitter of the one that knows the seller
		if n := seller.sold(); n != 2 {
			t.Errorf("%d tokens bought", n)
		}
	})
}

func TestRenewalWithinTheLimits(t *testing.T) {
	trading(t, 9*money.USD, func(t *testing.T, w *Warmer, d *purchase.Desk, seller *till, _ *market) {
		lease(t, d, seller.want()).Return(-5*money.USD + money.USD/8)
		for range 3 {
			pass(time.Minute)
			lease(t, d, seller.want()).Return(0)
		}
		if n := seller.sold(); n != 1 {
			t.Errorf("%d tokens bought", n)
		}
		if s := w.Status().Scheduler; s.Renewals != 0 || s.RenewalsRefused != 3 {
			t.Errorf("scheduler %+v", s)
		}
	})
}

// desk is one whose tokens always age.
type desk struct {
	err         error
	used, ahead time.Duration
	renewed     []string
}

func (d *desk) Aging(used, ahead time.Duration) []purchase.Aging {
	d.used, d.ahead = used, ahead
	return []purchase.Aging{{SellerID: "a", Model: "m"}, {SellerID: "b", Model: "n"}}
}

func (d *desk) Renew(a purchase.Aging, w purchase.Want) (bool, error) {
	d.renewed = append(d.renewed, a.SellerID+" from "+w.SellerID)
	return false, d.err
}

func TestRenewalSpans(t *testing.T) {
	d := &desk{err: errors.New("no")}
	warming(t, Options{Desk: d}, func(t *testing.T, w *Warmer, logs *observer.ObservedLogs) {
		m := newMarket()
		m.want = func(id string) (purchase.Want, bool) { return purchase.Want{SellerID: id}, id == "b" }
		m.offer("m", "a")
		m.delay = time.Second
		o := m.options("m")
		o.Interval, o.JitterMin, o.JitterMax = 20*time.Second, 0, 0
		site := w.Join(o)
		synctest.Wait()
		if d.used != 40*time.Second || d.ahead != time.Minute {
			t.Errorf("used within %s, %s ahead", d.used, d.ahead)
		}
		site.Touch("m", dialect.ChatCompletions) // makes no renewal
		pass(19 * time.Second)
		if len(d.renewed) != 1 || d.renewed[0] != "b from b" {
			t.Errorf("renewed %q", d.renewed)
		}
		if logs.FilterMessage("prewarm.renewal.refused").Len() != 1 {
			t.Error("a refusal is not logged")
		}
		site.Leave()
		pass(time.Minute)
		if len(d.renewed) != 1 {
			t.Errorf("renewed without a site: %q", d.renewed)
		}
	})
}

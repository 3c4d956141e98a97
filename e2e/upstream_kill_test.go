package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestUpstreamSellerCrash kills a seller at random under load, 3 times, or 30 times with TOKENBUDDY_CHAOS in the environment. What it
// has told its buyers holds: each grant is there once, each charge that was told is in its books, and of every token exactly what was
// charged is gone.
func TestUpstreamSellerCrash(t *testing.T) {
	u := newModelServer(t, "")
	c := newCaddy(t, "")
	c.write(c.global("") + fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy_seller s {\n\t\tupstream %s {\n\t\t\tno_key\n\t\t\tmodel m as qwen3:8b\n"+
		"\t\t\tprice m 0.15 0.60\n\t\t}\n\t}\n}\n", c.site, u.URL))
	c.start()
	load := &buyers{t: t, site: c.site, stop: make(chan struct{}), told: map[string]int64{}, granted: map[string]string{}}
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() { load.buy(i) })
	}
	kills := chaosSize(3, 30)
	for range kills {
		before := load.settled()
		eventually(t, "requests are answered again", func() bool { return load.settled() > before+5 })
		<-time.After(time.Duration(rand.IntN(100)) * time.Millisecond) // a moment of no meaning: nothing is waited for
		c.kill()
		c.start()
	}
	before := load.settled()
	eventually(t, "requests are answered again", func() bool { return load.settled() > before+5 })
	close(load.stop)
	all.Wait()
	c.kill()
	c.start()
	load.check(c.sellerBooks())
	t.Logf("%d kills, %d purchases, %d charges told", kills, len(load.granted), len(load.told))
	if c.log.has("panic") || c.log.has("DATA RACE") {
		t.Errorf("something is wrong in the seller:\n%s", c.log)
	}
}

// buyers buy and ask without a gateway, and remember what they were told.
type buyers struct {
	t    *testing.T
	site string
	stop chan struct{}

	mu      sync.Mutex
	told    map[string]int64  // billed, by settlement
	granted map[string]string // the bearer, by purchase
}

func (b *buyers) settled() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.told)
}

func (b *buyers) over() bool {
	select {
	case <-b.stop:
		return true
	default:
		return false
	}
}

// buy buys a token, asks a few times, and begins anew. What gets no answer is sent again under its key.
func (b *buyers) buy(worker int) {
	for n := 0; !b.over(); n++ {
		id := fmt.Sprintf("p-%d-%d", worker, n)
		bearer := b.purchase(id)
		if bearer == "" {
			return
		}
		for i := 0; i < 10 && !b.over(); i++ {
			b.infer(bearer, fmt.Sprint(id, "-", i), i%2 == 0)
		}
	}
}

// purchase takes both steps until they are answered; empty at the end of the load.
func (b *buyers) purchase(id string) string {
	for !b.over() {
		if bearer := b.tryPurchase(id); bearer != "" {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.granted[id] = bearer
			return bearer
		}
		<-time.After(5 * time.Millisecond) // it is being started again
	}
	return ""
}

func (b *buyers) tryPurchase(id string) string {
	_, body, err := b.send("/purchase/create", "", id, fmt.Sprintf(`{"purchaseId":%q,"modelId":"m","paymentMethod":"mock","amountMicros":1000000}`, id))
	var order struct{ OrderID string }
	if err != nil || json.Unmarshal(body, &order) != nil || order.OrderID == "" {
		return ""
	}
	_, body, err = b.send("/purchase/complete", "", id, fmt.Sprintf(`{"purchaseId":%q,"orderId":%q,"paymentMethod":"mock","proof":{}}`, id, order.OrderID))
	var grant struct{ AccessToken string }
	if err != nil || json.Unmarshal(body, &grant) != nil {
		return ""
	}
	return grant.AccessToken
}

// infer asks once, and again where the answer is lost, and notes what was told.
func (b *buyers) infer(bearer, key string, stream bool) {
	ask := fmt.Sprintf(`{"requestId":%q,"model":"m","stream":%v,"max_tokens":50,"messages":[{"role":"user","content":"Hello"}]}`, key, stream)
	for range 2 {
		res, body, err := b.send("/v1/chat/completions", bearer, key, ask)
		if res == nil {
			<-time.After(5 * time.Millisecond)
			continue
		}
		id, billed := res.Header.Get("X-Tokenbuddy-Settlement-Id"), res.Header.Get("X-Tokenbuddy-Billed-Micros")
		if _, event, ok := strings.Cut(string(body), "event: tokenbuddy.settlement\ndata: "); ok {
			if data, _, whole := strings.Cut(event, "\n"); whole {
				var s struct {
					SettlementID string
					BilledMicros int64
				}
				if json.Unmarshal([]byte(data), &s) == nil {
					id, billed = s.SettlementID, strconv.FormatInt(s.BilledMicros, 10)
				}
			}
		}
		micros, wrong := strconv.ParseInt(billed, 10, 64)
		if id != "" && wrong == nil {
			b.mu.Lock()
			b.told[id] = micros
			b.mu.Unlock()
		}
		if err == nil {
			if res.StatusCode != http.StatusOK && res.StatusCode < 500 {
				b.t.Errorf("%s: status %d: %s", key, res.StatusCode, body)
			}
			return
		}
	}
}

func (b *buyers) send(path, bearer, key, body string) (*http.Response, []byte, error) {
	req, err := http.NewRequest(http.MethodPost, "http://"+b.site+path, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return res, got, err
}

// check holds what was told against the books of a process that has been told nothing.
func (b *buyers) check(books sellerBooks) {
	charges, gone := map[string]int64{}, map[string]int64{}
	for _, charge := range books.Charges {
		if _, twice := charges[charge.SettlementID]; twice {
			b.t.Errorf("charge %s is there twice", charge.SettlementID)
		}
		charges[charge.SettlementID] = charge.Micros
		gone[charge.TokenID] += charge.Micros
	}
	for id, micros := range b.told {
		if got, there := charges[id]; !there || got != micros || micros == 0 {
			b.t.Errorf("charge %s of %d was told; in the books: %d, %v", id, micros, got, there)
		}
	}
	for _, token := range books.Tokens {
		if token.CreditMicros-token.BalanceMicros != gone[token.ID] {
			b.t.Errorf("token %s: %d of %d left, %d charged", token.ID, token.BalanceMicros, token.CreditMicros, gone[token.ID])
		}
	}
	completed := 0
	for _, p := range books.Purchases {
		if p.TokenID != "" {
			completed++
		}
	}
	// At the end of the load a purchase of each worker may be granted without the answer having come.
	if n := len(books.Tokens); n != completed || n < len(b.granted) || n > len(b.granted)+6 {
		b.t.Errorf("%d tokens for %d purchases that were completed, of which %d were told", n, completed, len(b.granted))
	}
	for id, bearer := range b.granted {
		if again := b.tryPurchase(id); again != bearer {
			b.t.Errorf("purchase %s asked again: another grant", id)
		}
		if res, body, err := b.send("/v1/chat/completions", bearer, id+"-last", `{"model":"m","max_tokens":5,"messages":[]}`); err != nil || res.StatusCode != http.StatusOK {
			b.t.Errorf("purchase %s serves nothing: %v %s", id, err, body)
		}
	}
}

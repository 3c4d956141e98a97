package e2e

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestBank has many clients trade through faults while a nemesis kills the gateway with SIGKILL, at each point of a request and
// a purchase that seller and rail can name and at random moments, and while it opens what the process before has left. After
// each start it holds the ledger against what clients, sellers and payment rail know:
//
//   - the ledger verifies: chain, sums, balances; no hold is left;
//   - every answer of which something reached a client has exactly one entry, and no request has two;
//   - nothing is paid twice, and every purchase that the rail has paid or a seller has sold a token for is in the books, with
//     that token: it goes on by itself;
//   - what sellers have taken for a request, token by token, is what was booked for it, but where the entry is an estimate or
//     says that the settlement was refused, an attempt got no answer, or the process was killed before anything reached the client;
//   - at the end, after a quiet request on each token that can still pay, the balance of each is the seller's.
//
// It kills 4 times, 30 times with TOKENBUDDY_CHAOS in the environment, and as often as TOKENBUDDY_KILLS says. A failed run is
// repeated by giving its seed in TOKENBUDDY_SEED, as far as the machine repeats itself.
func TestBank(t *testing.T) {
	kills := 4
	if os.Getenv("TOKENBUDDY_CHAOS") != "" {
		kills = 30
	}
	if s := os.Getenv("TOKENBUDDY_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil || kills < 1 {
			t.Fatalf("TOKENBUDDY_KILLS: %q is not a number above zero", s)
		}
	}
	b := newBank(t, seedOf(t), true, bankRates)
	b.run(kills)
	b.finish()
	b.summarize()
	for _, w := range b.wrongs {
		t.Errorf("%s: %s", w.kind, w.text)
	}
}

// TestBankWithoutIdempotency is the control of TestBank: seller and rail take no heed of keys, and it has to find money paid
// twice.
func TestBankWithoutIdempotency(t *testing.T) {
	rates := bankRates
	rates.payment = odds{{"lost after", 500}}
	rates.grant = odds{{"503", 300}, {"reset", 300}}
	rates.answer = odds{{"500 when booked", 300}}
	b := newBank(t, seedOf(t), false, rates)
	culprits := []string{"the rail", "seller north", "seller south"}
	found := make(map[string]int)
	for n := 0; n < 20 && len(found) < len(culprits); n++ {
		b.round(n, "", b.random("schedule", n))
		b.start(n, b.random("look", n))
		b.caddy.kill()
		clear(found)
		for _, w := range b.wrongs {
			for _, who := range culprits {
				if w.kind == paidTwice && strings.HasPrefix(w.text, who) {
					found[who]++
				}
			}
		}
	}
	t.Logf("without idempotency, after %d kills, paid twice by: %v", b.last+1, found)
	for _, who := range culprits {
		if found[who] == 0 {
			t.Errorf("%s takes no heed of keys, and the bank test has not seen that money was paid twice", who)
		}
	}
}

// The kinds of what can be wrong.
const (
	violation = "does not hold"
	paidTwice = "paid twice"
)

type wrong struct{ kind, text string }

// bankMargin is the margin before the end of a token in which it is not used.
const bankMargin = time.Second

// bank is everybody in the bank test.
type bank struct {
	t          *testing.T
	seed       uint64
	idempotent bool // seller and rail heed keys
	rates      rates

	caddy   *caddy
	nemesis nemesis
	rail    *rail
	sellers []*bankSeller
	clients *bankClients
	books   *bankBooks

	kills   map[string]int // by point
	early   int            // kills while it started
	process atomic.Int64   // the number of the one that runs
	resumed int            // purchases that a start found open
	last    int            // the newest round
	quiet   quietBooks
	begun   time.Time

	mu     sync.Mutex        // protects all following fields
	keys   map[string]string // of the requests that sellers were asked, by id
	lost   map[string]bool   // keys of requests of which a seller has booked the cost, and the answer got lost
	wrongs []wrong
}

func newBank(t *testing.T, seed uint64, idempotent bool, r rates) *bank {
	b := &bank{t: t, seed: seed, idempotent: idempotent, rates: r, kills: map[string]int{}, keys: map[string]string{}, lost: map[string]bool{}, begun: time.Now()}
	b.rail = newRail(b)
	b.clients = &bankClients{bank: b, sent: map[string]*sentRequest{}, counts: map[string]int{}}
	b.books = newBankBooks(b)
	var list []listing
	for _, id := range []string{"north", "south"} {
		s := newBankSeller(b, id)
		b.sellers = append(b.sellers, s)
		list = append(list, listing{
			ID: id, URL: s.URL, PaymentMethods: []string{"bank"}, Models: []any{priced("m"), priced("only-" + id)},
		})
	}
	b.caddy = newCaddy(t, "")
	// Nothing here makes Caddy begin a certificate authority: it does not start again when it was killed in the middle of that.
	b.caddy.write("{\n\tadmin " + b.caddy.admin + "\n}\n" + siteOf(b.caddy.site, fmt.Sprintf(`
		registry %s
		seller_networks 127.0.0.0/8
		payment bank {
			rail %s
		}
		selection weighted
		affinity off
		prewarm {
			off
		}
		purchase {
			amount 0.01
			rebuy_below 0
			expiry_margin %s
			daily_limit 1000000
		}
		failover {
			deadline 1s 2s
			cooldown 200ms
		}`, serveDocument(t, list).URL, b.rail.URL, bankMargin)))
	return b
}

// wrong notes what does not hold. The first of them say enough.
func (b *bank) wrong(kind, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.wrongs) < 50 || kind == paidTwice {
		b.wrongs = append(b.wrongs, wrong{kind, fmt.Sprintf(format, args...)})
	}
}

// asked remembers the key under which a seller was asked a request.
func (b *bank) asked(id, key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known := b.keys[id]; known != "" && known != key {
		b.wrongs = append(b.wrongs, wrong{violation, fmt.Sprintf("request %s was sent under the keys %s and %s", id, known, key)})
	}
	b.keys[id] = key
}

// lose remembers that a seller has booked the cost of a request, and its answer got lost.
func (b *bank) lose(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost[key] = true
}

func (b *bank) lostAnswer(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost[key]
}

func (b *bank) keyOf(id string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.keys[id]
}

// run kills so many times.
func (b *bank) run(kills int) {
	random := b.random("schedule")
	points := slices.Clone(bankPoints)
	random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	named := 0 // so many of them had their turn
	for n := range kills {
		point := ""
		switch {
		case n < 4 && n%2 == 1: // at random, so that a short run has load too
		case named < len(points):
			point = points[named]
			named++
		case random.IntN(2) == 0:
			point = points[random.IntN(len(points))]
		}
		b.round(n, point, random)
	}
}

// round starts the gateway, looks at its books, and kills it under load.
func (b *bank) round(n int, point string, random draw) {
	b.start(n-1, random)
	b.last = n
	passes := 0
	if !ofPurchase(point) {
		passes = random.IntN(100)
	}
	dead := b.nemesis.arm(point, passes, b.caddy.kill)
	if ofPurchase(point) {
		b.dry(true)
	}
	hung := make(chan func(), 1)
	go func() { hung <- b.clients.hang(n) }()
	var clients sync.WaitGroup
	for i := range 12 {
		clients.Go(func() { b.clients.run(n, i, dead) })
	}
	clients.Go(func() { b.forgive(dead) })
	patience := upTo(random.Rand, 800*time.Millisecond)
	if point != "" {
		patience = time.Minute
	}
	select {
	case <-dead:
		b.kills[point]++
	case <-time.After(patience):
		b.nemesis.strike()
		if b.kills["at random"]++; point != "" {
			b.wrong(violation, "the gateway has not come to the point %q within %s", point, patience)
		}
	}
	(<-hung)()
	clients.Wait()
	b.dry(false)
}

// forgive is an operator who trusts the sellers whatever they do: they get no more money otherwise, as most of their tokens serve
// next to nothing.
func (b *bank) forgive(dead <-chan struct{}) {
	client := &http.Client{Timeout: time.Second}
	for {
		for _, s := range b.sellers {
			if res, err := client.Post("http://"+b.caddy.admin+"/tokenbuddy/sellers?forgive="+s.id, "", nil); err == nil {
				_ = res.Body.Close()
			}
		}
		select {
		case <-dead:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// dry has sellers refuse the tokens that are there, so that others are bought.
func (b *bank) dry(yes bool) {
	for _, s := range b.sellers {
		s.mu.Lock()
		s.dry = 0
		if yes {
			s.dry = len(s.bearers)
		}
		s.mu.Unlock()
	}
}

// start starts the gateway, now and then after it was killed while it started, waits until what was left of purchases has
// ended, and looks at the books.
func (b *bank) start(ended int, random draw) {
	b.t.Helper()
	if random.IntN(3) == 0 {
		b.process.Add(1)
		b.caddy.launch()
		<-time.After(upTo(random.Rand, 400*time.Millisecond))
		b.caddy.kill()
		b.early++
	}
	b.process.Add(1)
	b.caddy.log = new(output)
	b.caddy.start()
	b.resumed += b.open()
	eventually(b.t, "the end of the purchases that were left open", func() bool { return b.open() == 0 })
	b.caddy.verify()
	if left := b.caddy.books().Ledger; left.Holds != 0 || left.PendingMicros != 0 {
		b.wrong(violation, "nothing is under way, and the ledger has %d holds and %d micros pending", left.Holds, left.PendingMicros)
	}
	b.books.check(ended)
}

// open is how many purchases are open.
func (b *bank) open() (n int) {
	b.t.Helper()
	for _, s := range b.caddy.books().Credit.Sellers {
		if s.Open != nil {
			n++
		}
	}
	return n
}

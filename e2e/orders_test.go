package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// purchaseStep is a request of a purchase as a seller got it.
type purchaseStep struct {
	path   string
	header http.Header
	body   map[string]any
}

// desk answers purchases in the place of a fake seller, where a function is set for it, and remembers them all.
type desk struct {
	*fakeSeller
	create, finish func(w http.ResponseWriter, ask map[string]any)

	mu    sync.Mutex // protects steps
	steps []purchaseStep
}

// ServeHTTP is called in the place of the fake seller's.
func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/purchase/") {
		d.fakeSeller.ServeHTTP(w, r)
		return
	}
	var ask map[string]any
	raw := readAll(r)
	_ = json.Unmarshal(raw, &ask)
	d.mu.Lock()
	d.steps = append(d.steps, purchaseStep{r.URL.Path, r.Header.Clone(), ask})
	d.mu.Unlock()
	if r.URL.Path == "/purchase/create" && d.create != nil {
		d.create(w, ask)
		return
	}
	if r.URL.Path == "/purchase/complete" && d.finish != nil {
		d.finish(w, ask)
		return
	}
	r.Body = http.NoBody
	if r.URL.Path == "/purchase/create" {
		d.fakeSeller.create(w, r, raw)
	} else {
		d.fakeSeller.complete(w, r)
	}
}

// paths are the steps so far.
func (d *desk) paths() (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.steps {
		all = append(all, strings.TrimPrefix(s.path, "/purchase/"))
	}
	return all
}

// buying adds a seller whose purchases are answered as the functions say.
func (s *stage) buying(id string, create, finish func(w http.ResponseWriter, ask map[string]any), models ...any) *desk {
	d := &desk{fakeSeller: s.seller(id, answerPlain, models...), create: create, finish: finish}
	d.Config.Handler = d
	return d
}

// sell makes a token known to the fake seller, so that it serves.
func (d *desk) sell(token string) string {
	d.fakeSeller.mu.Lock()
	defer d.fakeSeller.mu.Unlock()
	d.tokens[token] = true
	return token
}

// giving answers with these members, in the order's or grant's own words. A value of nil leaves the member out.
func giving(members map[string]any, more map[string]any) func(http.ResponseWriter, map[string]any) {
	return func(w http.ResponseWriter, _ map[string]any) {
		all := make(map[string]any)
		for _, m := range []map[string]any{members, more} {
			for name, v := range m {
				if all[name] = v; v == nil {
					delete(all, name)
				}
			}
		}
		reply(w, all)
	}
}

func status(code int) func(http.ResponseWriter, map[string]any) {
	return func(w http.ResponseWriter, _ map[string]any) { w.WriteHeader(code) }
}

type obj = map[string]any

// TestOrders has sellers answer the two steps of a purchase in every way, with another seller beside them that serves when
// no token comes. Each row looks at the steps, and at where the money is in the end.
func TestOrders(t *testing.T) {
	t.Parallel()
	order := obj{"orderId": "o_1", "amountMicros": 5_000_000, "currency": "USD", "payment": obj{}}
	grant := obj{"accessToken": "tok-orders", "expiresAt": "2099-01-01T00:00:00Z", "creditMicros": 5_000_000, "paymentReference": "ref"}
	o := func(more obj) func(http.ResponseWriter, obj) { return giving(order, more) }
	g := func(more obj) func(http.ResponseWriter, obj) { return giving(grant, more) }
	raw := func(text string) func(http.ResponseWriter, obj) {
		return func(w http.ResponseWriter, _ obj) { _, _ = w.Write([]byte(text)) }
	}
	refusal := func(code int, why string) func(http.ResponseWriter, obj) {
		return func(w http.ResponseWriter, _ obj) {
			w.WriteHeader(code)
			_, _ = fmt.Fprintf(w, `{"error":{"code":%q}}`, why)
		}
	}
	const c, f = "create", "complete"
	rows := map[string]struct {
		create, finish                        func(http.ResponseWriter, obj)
		steps                                 []string
		served                                bool // by this seller
		paid, credit, disputed, adjust, waste int64
	}{
		"good":                 {steps: []string{c, f}, served: true, paid: 5_000_000, credit: 4_999_991},
		"cheaper-order":        {create: o(obj{"amountMicros": 1_000_000}), finish: g(obj{"creditMicros": 1_000_000}), steps: []string{c, f}, served: true, paid: 1_000_000, credit: 999_991},
		"snake-case":           {create: raw(`{"order_id":"o","amount_micros":5000000,"currency":"USD"}`), finish: raw(`{"access_token":"tok-orders","expires_at":"2099-01-01T00:00:00Z","credit_micros":5000000,"payment_reference":"r"}`), steps: []string{c, f}, served: true, paid: 5_000_000, credit: 4_999_991},
		"after-a-mark":         {create: raw("\xef\xbb\xbf" + `{"orderId":"o","amountMicros":5000000,"currency":"USD"}`), finish: raw("\xef\xbb\xbf" + `{"accessToken":"tok-orders","expiresAt":"2099-01-01T00:00:00Z","creditMicros":5000000,"paymentReference":"r"}`), steps: []string{c, f}, served: true, paid: 5_000_000, credit: 4_999_991},
		"status-201":           {create: func(w http.ResponseWriter, a obj) { w.WriteHeader(201); o(nil)(w, a) }, finish: func(w http.ResponseWriter, a obj) { w.WriteHeader(202); g(nil)(w, a) }, steps: []string{c, f}, served: true, paid: 5_000_000, credit: 4_999_991},
		"above":                {create: o(obj{"amountMicros": 5_000_001}), steps: []string{c}},
		"other-currency":       {create: o(obj{"currency": "EUR"}), steps: []string{c}},
		"no-currency":          {create: o(obj{"currency": nil}), steps: []string{c}},
		"zero":                 {create: o(obj{"amountMicros": 0}), steps: []string{c}},
		"negative":             {create: o(obj{"amountMicros": -5_000_000}), steps: []string{c}},
		"fraction":             {create: o(obj{"amountMicros": 0.5}), steps: []string{c}},
		"text-amount":          {create: o(obj{"amountMicros": "5000000"}), steps: []string{c}},
		"no-amount":            {create: o(obj{"amountMicros": nil}), steps: []string{c}},
		"no-order-id":          {create: o(obj{"orderId": nil}), steps: []string{c}},
		"order-expired":        {create: o(obj{"expiresAt": "2001-01-01T00:00:00Z"}), steps: []string{c}},
		"order-not-json":       {create: raw("ok"), steps: []string{c}},
		"order-list":           {create: raw("[]"), steps: []string{c}},
		"create-400":           {create: status(400), steps: []string{c}},
		"create-402":           {create: status(402), steps: []string{c}},
		"create-409":           {create: status(409), steps: []string{c}},
		"create-once-500":      {create: once(status(500), o(nil)), steps: []string{c, c, f}, served: true, paid: 5_000_000, credit: 4_999_991},
		"create-once-cut":      {create: once(func(http.ResponseWriter, obj) { panic(http.ErrAbortHandler) }, o(nil)), steps: []string{c, c, f}, served: true, paid: 5_000_000, credit: 4_999_991},
		"complete-once-500":    {finish: once(status(500), g(nil)), steps: []string{c, f, f}, served: true, paid: 5_000_000, credit: 4_999_991},
		"complete-once-cut":    {finish: once(raw(`{"accessToken":"tok-or`), g(nil)), steps: []string{c, f, f}, served: true, paid: 5_000_000, credit: 4_999_991},
		"complete-once-empty":  {finish: once(raw(``), g(nil)), steps: []string{c, f, f}, served: true, paid: 5_000_000, credit: 4_999_991},
		"complete-once-html":   {finish: once(raw(`<html>`), g(nil)), steps: []string{c, f, f}, served: true, paid: 5_000_000, credit: 4_999_991},
		"complete-once-401":    {finish: once(status(401), g(nil)), steps: []string{c, f, f}, served: true, paid: 5_000_000, credit: 4_999_991},
		"complete-once-404":    {finish: once(status(404), g(nil)), steps: []string{c, f, f}, served: true, paid: 5_000_000, credit: 4_999_991},
		"complete-refused":     {finish: refusal(402, "payment_refused"), steps: []string{c, f}, paid: 5_000_000, disputed: 5_000_000},
		"complete-conflict":    {finish: refusal(409, "idempotency_conflict"), steps: []string{c, f}, paid: 5_000_000, disputed: 5_000_000},
		"no-token":             {finish: g(obj{"accessToken": nil}), steps: []string{c, f}, paid: 5_000_000, disputed: 5_000_000},
		"empty-token":          {finish: g(obj{"accessToken": ""}), steps: []string{c, f}, paid: 5_000_000, disputed: 5_000_000},
		"token-number":         {finish: g(obj{"accessToken": 5}), steps: []string{c, f}, paid: 5_000_000, disputed: 5_000_000},
		"token-for-two-lines":  {finish: g(obj{"accessToken": "tok\r\nX-Evil: 1"}), steps: []string{c, f}, paid: 5_000_000, disputed: 5_000_000},
		"credit-0":             {finish: g(obj{"creditMicros": 0}), steps: []string{c, f}, paid: 5_000_000, disputed: 5_000_000},
		"credit-negative":      {finish: g(obj{"creditMicros": -1}), steps: []string{c, f}, paid: 5_000_000, disputed: 5_000_000},
		"credit-fraction":      {finish: g(obj{"creditMicros": 1.5}), steps: []string{c, f}, paid: 5_000_000, disputed: 5_000_000},
		"no-credit":            {finish: g(obj{"creditMicros": nil}), steps: []string{c, f}, paid: 5_000_000, disputed: 5_000_000},
		"less-credit":          {finish: g(obj{"creditMicros": 3_000_000}), steps: []string{c, f}, served: true, paid: 5_000_000, credit: 2_999_991, disputed: 2_000_000},
		"more-credit":          {finish: g(obj{"creditMicros": 6_000_000}), steps: []string{c, f}, served: true, paid: 5_000_000, credit: 5_999_991, adjust: -1_000_000},
		"no-expiry":            {finish: g(obj{"expiresAt": nil}), steps: []string{c, f}, served: true, paid: 5_000_000, waste: 4_999_991},
		"expiry-not-readable":  {finish: g(obj{"expiresAt": "soon"}), steps: []string{c, f}, served: true, paid: 5_000_000, waste: 4_999_991},
		"expiry-number":        {finish: g(obj{"expiresAt": 4070908800}), steps: []string{c, f}, served: true, paid: 5_000_000, waste: 4_999_991},
		"expired-already":      {finish: g(obj{"expiresAt": "2001-01-01T00:00:00Z"}), steps: []string{c, f}, served: true, paid: 5_000_000, waste: 4_999_991},
		"expiry-of-other-zone": {finish: g(obj{"expiresAt": "2099-01-01T00:00:00.123+05:30"}), steps: []string{c, f}, served: true, paid: 5_000_000, credit: 4_999_991},
	}
	s := newStage(t)
	desks := make(map[string]*desk)
	for name, row := range rows {
		desks[name] = s.buying(name, row.create, row.finish, priced(name))
		desks[name].sell("tok-orders")
		s.seller("beside."+name, answerPlain, priced(name))
	}
	s.open("")
	var wg sync.WaitGroup
	for name := range rows {
		wg.Go(func() { s.infer(name, name, "") })
	}
	wg.Wait()
	for name, row := range rows {
		want, attempts := name, 1
		if !row.served {
			want = "beside." + name
		}
		if e := s.entryOf(name); e.Seller != want || e.Status != "ok" || e.Attempts != attempts {
			t.Errorf("%s: booked %+v", name, e)
		}
		if got := desks[name].paths(); row.steps != nil && !slices.Equal(got, row.steps) {
			t.Errorf("%s: the steps were %v, want %v", name, got, row.steps)
		}
		assertSteps(t, name, desks[name])
	}
	var total int64
	for _, row := range rows {
		total += row.paid
		if !row.served {
			total += 5_000_000 // to the seller beside it
		}
	}
	var balances map[string]int64
	eventually(t, "tokens that can't be used again are booked as waste", func() bool {
		balances = s.balances()
		for name, row := range rows {
			if balances["waste:"+name] != row.waste {
				return false
			}
		}
		return true
	})
	for name, row := range rows {
		got := [...]int64{balances["credit:"+name], balances["disputed:"+name], balances["adjustment:"+name], balances["pending:"+name]}
		if want := [...]int64{row.credit, row.disputed, row.adjust, 0}; got != want {
			t.Errorf("%s: credit, disputed, adjustment and pending are %v, want %v", name, got, want)
		}
	}
	if balances["wallet:mock"] != -total {
		t.Errorf("the wallet is at %d, want %d", balances["wallet:mock"], -total)
	}
	s.verify()
}

// assertSteps checks what the seller got: our id in the body and as the key, the same in both steps and on each try, and
// nothing of any client.
func assertSteps(t *testing.T, row string, d *desk) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	id, _ := d.steps[0].body["purchaseId"].(string)
	for _, step := range d.steps {
		want := obj{"purchaseId": id, "modelId": row, "paymentMethod": "mock", "amountMicros": 5e6}
		if step.path == "/purchase/complete" {
			want = obj{"purchaseId": id, "orderId": step.body["orderId"], "paymentMethod": "mock", "proof": obj{}}
			if order, _ := step.body["orderId"].(string); order == "" {
				t.Errorf("%s: no order: %v", row, step.body)
			}
		}
		if id == "" || !reflect.DeepEqual(step.body, want) || step.header.Get("Idempotency-Key") != id {
			t.Errorf("%s: %s with the key %q: %v", row, step.path, step.header.Get("Idempotency-Key"), step.body)
		}
		for _, name := range []string{"Authorization", "X-Request-Id", "Cookie"} {
			if step.header.Get(name) != "" {
				t.Errorf("%s: %s with %s", row, step.path, name)
			}
		}
	}
}

// once does the one thing at first, and then always the other.
func once(first, then func(http.ResponseWriter, obj)) func(http.ResponseWriter, obj) {
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	return func(w http.ResponseWriter, ask obj) {
		select {
		case <-turn:
			first(w, ask)
		default:
			then(w, ask)
		}
	}
}

// TestShortLivedTokens has a seller sell tokens that expire within the margin: each serves those that shared its purchase,
// and is not used again.
func TestShortLivedTokens(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	release := make(chan struct{})
	sold := func(d **desk, life time.Duration, wait func()) func(http.ResponseWriter, obj) {
		n := 0
		return func(w http.ResponseWriter, _ obj) {
			wait()
			n++
			token := (*d).sell(fmt.Sprintf("tok-%s-%d", (*d).id, n))
			reply(w, obj{"accessToken": token, "expiresAt": time.Now().Add(life).UTC().Format(time.RFC3339), "creditMicros": 5_000_000})
		}
	}
	var short, long *desk
	short = s.buying("short", nil, sold(&short, 30*time.Second, func() { <-release }), "short")
	long = s.buying("long", nil, sold(&long, 10*time.Minute, func() {}), "long")
	s.open("\t\tpurchase {\n\t\t\texpiry_margin 60s\n\t\t}\n")
	for round := range 2 {
		s.log.forget("token.cache.miss")
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if a := s.infer("", "short", ""); a.StatusCode != 200 {
					t.Errorf("status %d: %s", a.StatusCode, a.body)
				}
			})
		}
		eventually(t, "all of them want a token", func() bool { return strings.Count(s.log.String(), "token.cache.miss") >= 20 })
		release <- struct{}{}
		wg.Wait()
		s.infer("", "long", "")
		if n := strings.Count(strings.Join(short.paths(), " "), "complete"); n != round+1 {
			t.Errorf("round %d: %d purchases of short-lived tokens", round, n)
		}
	}
	if got := strings.Count(strings.Join(long.paths(), " "), "complete"); got != 1 {
		t.Errorf("%d purchases of tokens that live long enough", got)
	}
	var want []int
	for i := range 40 {
		want = append(want, 1+i/20)
	}
	if got := short.bearers(); !slices.Equal(got, want) {
		t.Errorf("the tokens were used in the order %v", got)
	}
	s.verify()
}

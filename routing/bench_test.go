package routing

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
)

const (
	manySellers = 100_000
	manyModels  = 1_000
)

func manySellersDocument() []byte {
	return []byte(registryOf(rand.New(rand.NewPCG(1, 1)), manySellers, manyModels))
}

// everyoneServes is a registry whose sellers all serve one model.
func everyoneServes(b *testing.B) *Index {
	body := []byte(`{"sellers":[`)
	for i := range manySellers {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"id":"seller-%d","url":"https://seller-%d.example","models":["model-1"]}`, i, i)
	}
	return newIndex(&TableOptions{Methods: []string{"mock"}}, mustParse(b, string(append(body, "]}"...))))
}

func decide(b *testing.B, x *Index, policy Policy, requested, defaultSeller string) {
	dst := make([]*Candidate, 0, 16)
	q := Query{Protocol: dialect.Messages, DefaultSeller: defaultSeller}
	b.ReportAllocs()
	for b.Loop() {
		q.Served, _ = x.Resolve(requested)
		dst = policy.Order(&q, x.Candidates(q.Served, q.Protocol), dst[:0])
	}
	if len(dst) == 0 {
		b.Fatal("nobody serves")
	}
}

func BenchmarkRoute(b *testing.B) {
	x := newIndex(&TableOptions{Methods: []string{"mock"}}, mustParse(b, string(manySellersDocument())))
	c := x.Candidates("model-500", dialect.Messages)
	b.Run("default_first/1000_models", func(b *testing.B) {
		decide(b, x, DefaultFirst{}, "alias-500", c.At(c.Len()/2).Seller.ID)
	})
	b.Run("manual/1000_models", func(b *testing.B) {
		decide(b, x, &Manual{}, "model-500", c.At(c.Len()/2).Seller.ID)
	})
	x = everyoneServes(b)
	b.Run("default_first/100000_candidates", func(b *testing.B) { decide(b, x, DefaultFirst{}, "model-1", "seller-77777") })
	b.Run("manual/100000_candidates", func(b *testing.B) { decide(b, x, &Manual{}, "model-1", "seller-77777") })
}

func BenchmarkParseAndIndex(b *testing.B) {
	body := manySellersDocument()
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	table := NewTable(TableOptions{Methods: []string{"mock"}})
	before := live()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		doc, _, err := ParseDocument(body)
		if err != nil || len(doc.Sellers) != manySellers {
			b.Fatal(err)
		}
		table.Update(doc)
	}
	b.ReportMetric(float64(live()-before)/(1<<20), "MB-kept")
	runtime.KeepAlive(body)
	runtime.KeepAlive(table)
}

// The route is on the way of every request: it must not allocate, however many sellers there are.
func TestRouteAllocatesNothing(t *testing.T) {
	x := indexTable(t).Index()
	dst := make([]*Candidate, 0, 16)
	for name, policy := range map[string]Policy{"default_first": DefaultFirst{}, "manual": &Manual{Seller: "a"}} {
		q := Query{Protocol: dialect.Messages, DefaultSeller: "b"}
		allocs := testing.AllocsPerRun(100, func() {
			q.Served, _ = x.Resolve("m-latest")
			dst = policy.Order(&q, x.Candidates(q.Served, q.Protocol), dst[:0])
		})
		if allocs > 0 || len(dst) == 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

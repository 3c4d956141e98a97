package routing

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

const (
	manySellers = 100_000
	manyModels  = 1_000
)

func manySellersDocument() []byte {
	return []byte(registryOf(rand.New(rand.NewPCG(1, 1)), manySellers, manyModels))
}

// everyoneServes is a registry whose sellers all serve one model.
func everyoneServes(b *testing.B) *Document {
	body := []byte(`{"sellers":[`)
	for i := range manySellers {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"id":"seller-%d","url":"https://seller-%d.example","models":["model-1"]}`, i, i)
	}
	return mustParse(b, string(append(body, "]}"...)))
}

// tableOf has all sellers of a document, any of which may be bought from.
func tableOf(doc *Document, policy selection.Policy) *Table {
	table := NewTable(TableOptions{Methods: []string{"mock"}, Policy: policy, Funds: openPurse{}, Exclusions: NewExclusions(1000)})
	table.Update(doc)
	return table
}

// openPurse is the funds and the purse of every seller.
type openPurse struct{}

func (openPurse) Purse(SellerKey) Purse                { return openPurse{} }
func (openPurse) Look(time.Time) (credit, canBuy bool) { return false, true }

// dealWith lets each candidate that is ready for a model have had a dozen requests, of which some failed.
func dealWith(table *Table, served string) {
	c := table.Index().Candidates(served, dialect.Messages)
	for range 3 { // the sample moves on with each sweep
		for _, ready := range c.Ready() {
			state := table.State(ready.Candidate)
			for i := range 12 {
				p, _ := state.Begin(time.Now(), ready.Model, true)
				r := Result{FirstContent: time.Duration(ready.rank+1) * time.Microsecond}
				if i%6 == 5 {
					r.Kind, r.Status = Soft5xx, 500
				}
				p.End(time.Now(), r)
			}
		}
		table.Sweep()
	}
}

// decide is what a request does, which knows since when it is there: who has the model, who served the conversation last, in which order are they tried.
func decide(table *Table, affinity *Affinity, q *Query, requested string, dst []*Candidate) []*Candidate {
	x := table.Index()
	q.Served, _ = x.Resolve(requested)
	q.Last, _ = affinity.Get(conversation(1), q.Now)
	return table.Order(q, x.Candidates(q.Served, q.Protocol), dst)
}

func BenchmarkRoute(b *testing.B) {
	docs := map[string]*Document{"1000_models": mustParse(b, string(manySellersDocument())), "100000_candidates": everyoneServes(b)}
	models := map[string]string{"1000_models": "alias-500", "100000_candidates": "model-1"}
	usual := money.Tokens{Prompt: 4000, Completion: 8192}
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		for _, policy := range []builtIn{DefaultFirst{}, &Manual{Seller: "seller-50"}, Cheapest{}, Fastest{}, Weighted{}} {
			table := tableOf(docs[name], policy)
			c := table.Index().Candidates("model-500", dialect.Messages)
			if m, ok := policy.(*Manual); ok && c.Len() > 0 {
				m.Seller = c.At(c.Len() / 2).Seller.ID
			}
			served, _ := table.Index().Resolve(models[name])
			dealWith(table, served)
			affinity := NewAffinity(Conversations)
			ready := table.Index().Candidates(served, dialect.Messages).Ready()
			affinity.Put("ada", conversation(1), ready[len(ready)/2].Seller.Key(), time.Now(), time.Hour)
			b.Run(policyName(policy)+"/"+name, func(b *testing.B) {
				q, dst := Query{Protocol: dialect.Messages, Path: "/v1/messages", Ceiling: usual, Now: time.Now()}, make([]*Candidate, 0, MaxReady)
				b.ReportAllocs()
				for b.Loop() {
					if dst = decide(table, affinity, &q, models[name], dst[:0]); len(dst) == 0 {
						b.Fatal("nobody serves")
					}
				}
			})
			b.Run(policyName(policy)+"/"+name+"/64_goroutines", func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
				b.RunParallel(func(pb *testing.PB) {
					q, dst := Query{Protocol: dialect.Messages, Path: "/v1/messages", Ceiling: usual, Now: time.Now()}, make([]*Candidate, 0, MaxReady)
					for pb.Next() {
						if dst = decide(table, affinity, &q, models[name], dst[:0]); len(dst) == 0 {
							b.Error("nobody serves")
						}
					}
				})
			})
		}
	}
}

// A sweep chooses anew who is ready, for all models.
func BenchmarkSweep(b *testing.B) {
	for _, policy := range []builtIn{DefaultFirst{}, Cheapest{}, Fastest{}, Weighted{}} {
		table := tableOf(mustParse(b, string(manySellersDocument())), policy)
		b.Run(policyName(policy), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				table.Sweep()
			}
		})
	}
}

func BenchmarkParseAndIndex(b *testing.B) {
	body := manySellersDocument()
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	table := tableOf(nil, Cheapest{})
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
	kept := float64(live()-before) / (1 << 20)
	b.ReportMetric(kept, "MB-kept")
	if kept > 100 {
		b.Error("document, index and ready candidates take more than 100 MB")
	}
	runtime.KeepAlive(body)
	runtime.KeepAlive(table)
}

// The route is on the way of every request: it must not allocate, however many sellers there are.
func TestRouteAllocatesNothing(t *testing.T) {
	for _, policy := range []builtIn{DefaultFirst{}, &Manual{Seller: "s07"}, Cheapest{}, Fastest{}, Weighted{}} {
		table, f := newFair(t, TableOptions{Policy: policy, Exclusions: NewExclusions(10)}, many(60)...)
		table.Exclude(candidatesOf(table).At(1), "/v1/messages")
		affinity := NewAffinity(100)
		affinity.Put("ada", conversation(1), f.key("s58"), time.Now(), time.Minute) // not among the ready ones
		q, dst := f.query(money.Tokens{Prompt: 1000, Completion: 1000}), make([]*Candidate, 0, MaxReady)
		q.Now = time.Now()
		allocs := testing.AllocsPerRun(100, func() { dst = decide(table, affinity, q, "m", dst[:0]) })
		if allocs > 0 || len(dst) == 0 {
			t.Errorf("%T: %v allocations", policy, allocs)
		}
	}
}

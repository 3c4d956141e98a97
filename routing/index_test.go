package routing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// ids writes candidates as "seller:model(methods)".
func ids(list []*Candidate) string {
	var b strings.Builder
	for _, c := range list {
		fmt.Fprintf(&b, "%s:%s%v ", c.Seller.ID, c.Model, c.Methods)
	}
	return strings.TrimSpace(b.String())
}

func all(c *Candidates) []*Candidate {
	var list []*Candidate
	for i := range c.Len() {
		list = append(list, c.At(i))
	}
	return list
}

func pin(t testing.TB, id string, methods []string, models ...string) *Seller {
	t.Helper()
	p := Pin{ID: id, URL: "https://" + id + ".pinned", Methods: methods}
	for _, name := range models {
		m, err := NewModel(name, money.NoPrice)
		if err != nil {
			t.Fatal(err)
		}
		p.Models = append(p.Models, m)
	}
	s, err := NewPinned(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const indexDocument = `{"defaultSeller":"b","sellers":[
	{"id":"a","url":"https://a.example","paymentMethods":["x","mock"],"models":["m","only-a","hidden-a",{"id":"n","aliases":["latest","m"]}]},
	{"id":"b","url":"https://b.example","protocols":["messages"],"models":[{"id":"m","aliases":["latest","m-latest"]}]},
	{"id":"p","url":"https://p.example","models":["m","hidden"]},
	{"id":"far","url":"https://far.example","paymentMethods":["gold"],"models":["m",{"id":"unreachable","aliases":["gone"]}]},
	{"id":"c","url":"https://c.example","paymentMethods":["mock","x"],"models":["m"]}
]}`

func indexTable(t testing.TB) *Table {
	table := NewTable(TableOptions{
		Pinned: []*Seller{pin(t, "z", nil, "m", "own"), pin(t, "p", []string{"mock"}, "m")},
		Aliases: map[string]string{
			"fast": "n", "chain": "latest", "two-steps": "fast", "only-a": "own", "nothing": "unheard-of", "hidden-a": "unheard-of", "b": "unreachable",
		},
		Methods: []string{"x", "mock"},
	})
	table.Update(mustParse(t, indexDocument))
	return table
}

func TestIndexCandidates(t *testing.T) {
	x := indexTable(t).Index()
	for _, tc := range []struct {
		model    string
		protocol dialect.Protocol
		want     string
	}{
		// Pinned first in the config's order, a pinned id instead of the registry's, our order of methods.
		{"m", dialect.Messages, "z:m[mock] p:m[mock] a:m[x mock] b:m[mock] c:m[x mock]"},
		{"m", dialect.ChatCompletions, "z:m[mock] p:m[mock] a:m[x mock] c:m[x mock]"},
		{"own", dialect.Embeddings, "z:own[mock]"},
		{"n", dialect.Responses, "a:n[x mock]"},
		{"hidden", dialect.Responses, ""},
		{"unreachable", dialect.Responses, ""},
		{"latest", dialect.Responses, ""}, // an alias is no model
		{"m", "telepathy", ""},
	} {
		if got := ids(all(x.Candidates(tc.model, tc.protocol))); got != tc.want {
			t.Errorf("%s over %s: %q, want %q", tc.model, tc.protocol, got, tc.want)
		}
	}
	if x.DefaultSeller() != "b" || x.Seller("p").Origin != "https://p.pinned" || x.Seller("far") == nil || x.Seller("no") != nil {
		t.Error("the sellers by id are wrong")
	}
}

func TestIndexResolve(t *testing.T) {
	x := indexTable(t).Index()
	for requested, want := range map[string]string{
		"m":           "m", // though a seller has an alias of that name
		"latest":      "m", // as the default seller means it, though one before it means another
		"m-latest":    "m",
		"fast":        "n",
		"chain":       "m",   // the config's alias of a seller's alias
		"two-steps":   "",    // but not of an alias of the config
		"only-a":      "own", // stronger than a real id
		"nothing":     "",
		"hidden-a":    "", // as strong where nobody serves what it is for
		"gone":        "", // no seller that we could pay
		"unreachable": "",
		"b":           "",
		"":            "",
		"M":           "",
	} {
		if got, ok := x.Resolve(requested); got != want || ok != (want != "") {
			t.Errorf("%q is served as %q, %v; want %q", requested, got, ok, want)
		}
	}
	want := []string{"chain", "fast", "latest", "m", "m-latest", "n", "only-a", "own"}
	if got := x.Models(); !slices.Equal(got, want) {
		t.Errorf("models %q, want %q", got, want)
	}
}

func TestTableWithoutDocument(t *testing.T) {
	table := NewTable(TableOptions{Pinned: []*Seller{pin(t, "p", nil, "m")}, Methods: []string{"mock"}, DefaultSeller: "mine"})
	x := table.Index()
	if got := ids(all(x.Candidates("m", dialect.Messages))); got != "p:m[mock]" {
		t.Errorf("candidates %q", got)
	}
	if c := x.Candidates("m", dialect.Messages); c.Find("a") != nil || c.Find("p") == nil || x.Seller("a") != nil {
		t.Error("a seller is found that nobody named")
	}
	before := x
	table.Update(mustParse(t, indexDocument))
	if x = table.Index(); x.Candidates("m", dialect.Messages).Len() != 4 || x.DefaultSeller() != "mine" {
		t.Error("the document has not come in")
	}
	if before.Candidates("m", dialect.Messages).Len() != 1 {
		t.Error("an index changed after it was given out")
	}
}

// Whatever the sellers, a candidate is found exactly when it is in the list.
func TestCandidatesFind(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		doc := mustParse(t, registryOf(r, 60, 5))
		o := TableOptions{Methods: []string{"mock", "clawtip"}}
		for i := range 5 {
			o.Pinned = append(o.Pinned, pin(t, fmt.Sprintf("seller-%d", i*7), nil, "model-1", "model-2"))
		}
		x := newIndex(&o, doc)
		for model := range x.models {
			for _, p := range dialect.Protocols {
				c := x.Candidates(model, p)
				for i := range 70 {
					id := fmt.Sprintf("seller-%d", i)
					at := slices.IndexFunc(all(c), func(c *Candidate) bool { return c.Seller.ID == id })
					found := c.Find(id)
					if (at < 0) != (found == nil) || at >= 0 && found != c.At(at) {
						t.Fatalf("%s in %s: at %d, found %v", id, model, at, found)
					}
				}
			}
		}
	}
}

// registryOf writes a registry of n sellers with three of the models each, at one of a few hundred prices.
func registryOf(r *rand.Rand, n, models int) string {
	var b strings.Builder
	b.WriteString(`{"version":"v","defaultSeller":"seller-50","sellers":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"seller-%d","name":"Seller number %d","url":"https://seller-%d.example/api",`, i, i, i)
		if r.IntN(4) == 0 {
			b.WriteString(`"protocols":["chat_completions","messages"],`)
		}
		b.WriteString(`"paymentMethods":["mock","clawtip"],"models":[`)
		for j, at := range r.Perm(models)[:3] {
			if j > 0 {
				b.WriteByte(',')
			}
			p := (1 + r.IntN(300)) * 10_000
			fmt.Fprintf(&b, `{"id":"model-%d","aliases":["alias-%d"],"inputPriceMicrosPer1m":%d,"outputPriceMicrosPer1m":%d,`+
				`"cacheReadPriceMicrosPer1m":%d,"cacheWritePriceMicrosPer1m":0}`, at, at, p, 8*p, p/10)
		}
		b.WriteString("]}")
	}
	b.WriteString("]}")
	return b.String()
}

const namesDocument = `{"defaultSeller":"main","sellers":[
	{"id":"thief","url":"https://t.example","models":["fast","latest",{"id":"dear","aliases":["mine","big","small","theirs"]},"huge"]},
	{"id":"main","url":"https://m.example","models":[{"id":"big","aliases":["latest","mine","huge"]},"theirs"]},
	{"id":"late","url":"https://l.example","models":[{"id":"x","aliases":["small","dear"]},"small"]}
]}`

// What the pinned sellers and the default one call their models and aliases is theirs.
func TestNamesAreNotTaken(t *testing.T) {
	aliased, err := NewModel("mine", money.NoPrice, "fast", "theirs")
	if err != nil {
		t.Fatal(err)
	}
	own, err := NewPinned(Pin{ID: "own", URL: "https://own.example", Models: []Model{aliased}})
	if err != nil {
		t.Fatal(err)
	}
	pool := NewPool(PoolOptions{})
	table := NewTable(TableOptions{Pinned: []*Seller{own}, Methods: []string{"mock"}, Pool: pool})
	table.Update(mustParse(t, namesDocument))
	wanted := map[string]string{
		"mine":   "mine",   // a pinned seller's model, not the registry's aliases
		"fast":   "mine",   // a pinned seller's alias, not the registry's model
		"big":    "big",    // the default seller's model
		"latest": "big",    // the default seller's alias, not another's model
		"huge":   "big",    // the same
		"theirs": "theirs", // the default seller's model over a pinned one's alias: ids are stronger
		"dear":   "dear",   // a model over a later alias
		"small":  "small",  // a model over an earlier alias
		"x":      "x",
	}
	for _, paused := range []map[string]bool{nil, {"own": true}, {"main": true}, {"own": true, "main": true}} {
		pool.SetPaused(paused)
		table.Rebuild()
		for requested, want := range wanted {
			if got, _ := table.Index().Resolve(requested); got != want {
				t.Errorf("%q is served as %q, want %q, while %v are paused", requested, got, want, paused)
			}
		}
	}
	without := NewTable(TableOptions{Methods: []string{"mock"}, Excluded: map[string]bool{"main": true}})
	without.Update(mustParse(t, namesDocument))
	for requested, want := range map[string]string{"big": "dear", "latest": "latest", "huge": "huge", "mine": "dear"} {
		if got, _ := without.Index().Resolve(requested); got != want {
			t.Errorf("%q is served as %q, want %q, without the default seller", requested, got, want)
		}
	}
}

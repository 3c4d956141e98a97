package routing

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

func price(input, output, cacheRead, cacheWrite money.Micros) *money.Price {
	return &money.Price{Input: input, Output: output, CacheRead: cacheRead, CacheWrite: cacheWrite}
}

func mustParse(t testing.TB, body string) *Document {
	t.Helper()
	doc, _, err := ParseDocument([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestParseDocument(t *testing.T) {
	doc, faults, err := ParseDocument([]byte(`{
		"version": "2026-06-02.1", "defaultSeller": "acme", "future": {"a": [1]},
		"sellers": [
			{
				"id": "acme", "name": "Acme Inference", "url": "HTTPS://Acme.Example:443/api//", "future": 1,
				"protocols": ["messages", "telepathy", "chat_completions"], "paymentMethods": ["clawtip", "mock"],
				"models": ["plain-model-id", {
					"id": "gpt-5", "aliases": ["gpt-5-latest"],
					"inputPriceMicrosPer1m": 1250000, "outputPriceMicrosPer1m": 10000000,
					"cacheReadPriceMicrosPer1m": 125000, "cacheWritePriceMicrosPer1m": 0
				}]
			},
			{"id": "b", "url": "http://127.0.0.1:8080"},
			{"id": "c", "url": "https://c.example", "protocols": null, "payment_methods": [], "models": [
				{"id": "m", "input_price_micros_per_1m": 7, "outputPriceMicrosPer1m": null, "output_price_micros_per_1m": 8},
				{"id": "n", "input_price_micros_per_1m": 1, "inputPriceMicrosPer1m": 2, "cache_read_price_micros_per1m": 3},
				"m2", {"id": "m2", "aliases": ["x"]}
			]}
		]}`))
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	if doc.Version != "2026-06-02.1" || doc.DefaultSeller != "acme" || doc.LeftOut != 0 {
		t.Errorf("document: %+v", doc)
	}
	want := []*Seller{
		{
			ID: "acme", Name: "Acme Inference", BaseURL: "https://acme.example/api", Origin: "https://acme.example",
			Protocols: Protocols(dialect.ChatCompletions, dialect.Messages), Methods: []string{"clawtip", "mock"},
			Models: []Model{
				{ID: "plain-model-id", Price: price(-1, -1, -1, -1)},
				{ID: "gpt-5", Aliases: []string{"gpt-5-latest"}, Price: price(1250000, 10000000, 125000, 0)},
			},
		},
		{
			ID: "b", BaseURL: "http://127.0.0.1:8080", Origin: "http://127.0.0.1:8080",
			Protocols: AllProtocols, Methods: []string{"mock"}, Models: []Model{},
		},
		{
			ID: "c", BaseURL: "https://c.example", Origin: "https://c.example",
			Protocols: AllProtocols, Methods: []string{"mock"}, Models: []Model{
				{ID: "m", Price: price(7, 8, -1, -1)},
				{ID: "n", Price: price(2, -1, 3, -1)},
				{ID: "m2", Aliases: []string{"x"}, Price: price(-1, -1, -1, -1)},
			},
		},
	}
	for i, s := range doc.Sellers {
		if !reflect.DeepEqual(s, want[i]) {
			t.Errorf("seller %d:\n got %s\nwant %s", i, dump(s), dump(want[i]))
		}
		if doc.Seller(s.ID) != s {
			t.Errorf("seller %s is not found by its id", s.ID)
		}
	}
	if len(doc.Sellers) != len(want) || doc.Seller("nobody") != nil {
		t.Errorf("%d sellers", len(doc.Sellers))
	}
}

func TestParseDocumentTwins(t *testing.T) {
	for _, body := range []string{
		`{"default_seller":"a","sellers":[{"id":"s","url":"https://s.example","payment_methods":["x"]}]}`,
		`{"defaultSeller":"a","default_seller":"b","sellers":[{"id":"s","url":"https://s.example","payment_methods":["y"],"paymentMethods":["x"]}]}`,
		`{"default_seller":"b","defaultSeller":"a","sellers":[{"id":"s","url":"https://s.example","paymentMethods":["x"],"payment_methods":["y"]}]}`,
		`{"default_seller":"a","defaultSeller":null,"sellers":[{"id":"s","url":"https://s.example","paymentMethods":null,"payment_methods":["x"]}]}`,
	} {
		doc := mustParse(t, body)
		if doc.DefaultSeller != "a" || !slices.Equal(doc.Seller("s").Methods, []string{"x"}) {
			t.Errorf("%s\ndefault %q, methods %q", body, doc.DefaultSeller, doc.Seller("s").Methods)
		}
	}
}

func TestParseDocumentRefused(t *testing.T) {
	for name, body := range map[string]string{
		"empty":              ``,
		"not JSON":           `sellers`,
		"cut":                `{"sellers":[`,
		"two documents":      `{"sellers":[]}{"sellers":[]}`,
		"a list":             `[]`,
		"null":               `null`,
		"no sellers":         `{"version":"1"}`,
		"sellers is null":    `{"sellers":null}`,
		"sellers an object":  `{"sellers":{}}`,
		"byte order mark":    "\ufeff" + `{"sellers":[]}`,
		"nested without end": strings.Repeat("[", 5_000_000),
		"nested deep":        `{"sellers":[` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + `]}`,
	} {
		doc, faults, err := ParseDocument([]byte(body))
		if err == nil || doc != nil || faults != nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// Each entry here is left out, and nothing else is.
func TestParseDocumentFaults(t *testing.T) {
	withURL := func(url string) string { return `{"id":"bad","url":` + strconv.Quote(url) + `}` }
	withModel := func(model string) string {
		return `{"id":"bad","url":"https://bad.example","models":["fine",` + model + `]}`
	}
	withPrice := func(p string) string { return withModel(`{"id":"m","inputPriceMicrosPer1m":` + p + `}`) }
	for name, tc := range map[string]struct{ entry, id, reason string }{
		"not an object": {`"acme"`, "sellers[1]", "not an object"},
		"null":          {`null`, "sellers[1]", "not an object"},

		"no id":              {`{"url":"https://bad.example"}`, "sellers[1]", "no id"},
		"empty id":           {`{"id":"","url":"https://bad.example"}`, "sellers[1]", "no id"},
		"id a number":        {`{"id":7,"url":"https://bad.example"}`, "sellers[1]", "no id"},
		"id begins wrong":    {`{"id":"-bad","url":"https://bad.example"}`, "-bad", "the id is not"},
		"id with a space":    {`{"id":"a bad","url":"https://bad.example"}`, "a bad", "the id is not"},
		"id with an umlaut":  {`{"id":"bäd","url":"https://bad.example"}`, "bäd", "the id is not"},
		"id with a line end": {`{"id":"a\nb","url":"https://bad.example"}`, "sellers[1]", "the id is not"},
		"id too long":        {`{"id":"` + strings.Repeat("a", 65) + `","url":"https://bad.example"}`, "sellers[1]", "the id is not"},
		"id repeated":        {`{"id":"good","url":"https://bad.example"}`, "good", "repeated"},

		"no url":              {`{"id":"bad"}`, "bad", "no url"},
		"url a number":        {`{"id":"bad","url":1}`, "bad", "no url"},
		"url does not parse":  {withURL("https://bad.example:port"), "bad", "does not parse"},
		"url of another kind": {withURL("ftp://bad.example"), "bad", "not http or https"},
		"url without scheme":  {withURL("bad.example"), "bad", "not http or https"},
		"url relative":        {withURL("//bad.example"), "bad", "not http or https"},
		"url without host":    {withURL("https:///path"), "bad", "no host"},
		"url opaque":          {withURL("https:bad.example"), "bad", "no host"},
		"url only a port":     {withURL("https://:443"), "bad", "no host"},
		"url port too high":   {withURL("https://bad.example:65536"), "bad", "no host"},
		"url port zero":       {withURL("https://bad.example:0"), "bad", "no host"},
		"url zone":            {withURL("https://[fe80::1%25eth0]"), "bad", "no host"},
		"url host escaped":    {withURL("https://b%C3%A4d.example"), "bad", "no host"},
		"url user":            {withURL("https://user@bad.example"), "bad", "user info"},
		"url user, password":  {withURL("https://user:pw@bad.example"), "bad", "user info"},
		"url empty user":      {withURL("https://@bad.example"), "bad", "user info"},
		"url broken query":    {withURL("https://bad.example?key=%zz"), "bad", "query"},
		"url query escaped":   {withURL("https://bad.example?key=ä"), "bad", "query"},
		"url long query":      {withURL("https://bad.example?" + strings.Repeat("a", 2048)), "bad", "does not parse"},
		"url fragment":        {withURL("https://bad.example/#f"), "bad", "query"},
		"url too long":        {withURL("https://bad.example/" + strings.Repeat("a", 2048)), "bad", "does not parse"},

		"no known protocol":   {`{"id":"bad","url":"https://bad.example","protocols":["x"]}`, "bad", "protocols"},
		"protocols no list":   {`{"id":"bad","url":"https://bad.example","protocols":"messages"}`, "bad", "protocols"},
		"methods no list":     {`{"id":"bad","url":"https://bad.example","paymentMethods":"mock"}`, "bad", "paymentMethods"},
		"methods not names":   {`{"id":"bad","url":"https://bad.example","paymentMethods":[1,""]}`, "bad", "paymentMethods"},
		"models no list":      {`{"id":"bad","url":"https://bad.example","models":"m"}`, "bad", "models"},
		"model a number":      {withModel(`1`), "bad", "model"},
		"model without id":    {withModel(`{"aliases":["x"]}`), "bad", "model"},
		"model empty":         {withModel(`""`), "bad", "model"},
		"model too long":      {withModel(`"` + strings.Repeat("m", 257) + `"`), "bad", "model"},
		"model with line end": {withModel(`"m\nn"`), "bad", "model"},
		"aliases no list":     {withModel(`{"id":"m","aliases":"x"}`), "bad", "alias"},
		"alias a number":      {withModel(`{"id":"m","aliases":[1]}`), "bad", "alias"},
		"model at two prices": {withModel(`"m",{"id":"m","inputPriceMicrosPer1m":1}`), "bad", "twice"},

		"price negative":      {withPrice(`-1`), "bad", "price"},
		"price fractional":    {withPrice(`1.5`), "bad", "price"},
		"price with fraction": {withPrice(`1.0`), "bad", "price"},
		"price with exponent": {withPrice(`1e3`), "bad", "price"},
		"price a string":      {withPrice(`"5"`), "bad", "price"},
		"price a bool":        {withPrice(`true`), "bad", "price"},
		"price a list":        {withPrice(`[1]`), "bad", "price"},
		"price absurd":        {withPrice(`1000000000000001`), "bad", "price"},
		"price over 64 bits":  {withPrice(`99999999999999999999`), "bad", "price"},
		"price twin negative": {withModel(`{"id":"m","output_price_micros_per_1m":-1}`), "bad", "price"},
		"price cache read":    {withModel(`{"id":"m","cacheReadPriceMicrosPer1m":-1}`), "bad", "price"},
		"price cache write":   {withModel(`{"id":"m","cacheWritePriceMicrosPer1m":-1}`), "bad", "price"},
	} {
		t.Run(name, func(t *testing.T) {
			doc, faults, err := ParseDocument([]byte(
				`{"sellers":[{"id":"good","url":"https://good.example"},` + tc.entry + `,{"id":"last","url":"https://last.example"}]}`))
			if err != nil {
				t.Fatal(err)
			}
			if len(doc.Sellers) != 2 || doc.Sellers[0].BaseURL != "https://good.example" || doc.Sellers[1].ID != "last" {
				t.Errorf("sellers: %s", dump(doc.Sellers))
			}
			if doc.LeftOut != 1 || len(faults) != 1 {
				t.Fatalf("left out %d, faults %v", doc.LeftOut, faults)
			}
			if faults[0].ID != tc.id || !strings.Contains(faults[0].Reason, tc.reason) {
				t.Errorf("fault %+v, want %q: %q", faults[0], tc.id, tc.reason)
			}
		})
	}
}

// A later entry does not take the place of one that is left out: whoever can append to the document could else take over a name
// by breaking the entry before.
func TestParseDocumentIDTakenByFault(t *testing.T) {
	doc := mustParse(t, `{"sellers":[{"id":"a","url":"ftp://a.example"},{"id":"a","url":"https://a.example"},{"id":"b","url":"https://b.example"}]}`)
	if doc.LeftOut != 2 || doc.Seller("a") != nil || doc.Seller("b") == nil {
		t.Errorf("left out %d, sellers %s", doc.LeftOut, dump(doc.Sellers))
	}
}

func TestParseDocumentFaultsBounded(t *testing.T) {
	doc, faults, err := ParseDocument([]byte(`{"sellers":[1` + strings.Repeat(",1", 999) + `]}`))
	if err != nil || doc.LeftOut != 1000 || len(faults) != maxFaults {
		t.Errorf("left out %d, faults %d, %v", doc.LeftOut, len(faults), err)
	}
}

func TestNewPinned(t *testing.T) {
	m, err := NewModel("m", money.NoPrice, "alias")
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewPinned(Pin{ID: "p", URL: "http://10.0.0.1:1/", Models: []Model{m}})
	want := &Seller{
		ID: "p", BaseURL: "http://10.0.0.1:1", Origin: "http://10.0.0.1:1", Pinned: true,
		Protocols: AllProtocols, Methods: []string{"mock"}, Models: []Model{m},
	}
	if err != nil || !reflect.DeepEqual(s, want) {
		t.Errorf("got %s, %v", dump(s), err)
	}
	s, err = NewPinned(Pin{ID: "p", URL: "https://p.example", Protocols: []dialect.Protocol{dialect.Messages}, Methods: []string{"x"}})
	if err != nil || s.Protocols != Protocols(dialect.Messages) || !slices.Equal(s.Methods, []string{"x"}) {
		t.Errorf("got %s, %v", dump(s), err)
	}
	for name, p := range map[string]Pin{
		"id":           {ID: "no id", URL: "https://p.example"},
		"url":          {ID: "p", URL: "https://user:hunter2@p.example"},
		"protocol":     {ID: "p", URL: "https://p.example", Protocols: []dialect.Protocol{"x"}},
		"model repeat": {ID: "p", URL: "https://p.example", Models: []Model{m, m}},
	} {
		if s, err := NewPinned(p); err == nil || s != nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"no id":     second(NewModel("", money.NoPrice)),
		"alias":     second(NewModel("m", money.NoPrice, "")),
		"negative":  second(NewModel("m", money.Price{Input: -2})),
		"above max": second(NewModel("m", money.Price{CacheWrite: money.Max + 1})),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func dump(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%+v", v)
	}
	return string(b)
}

func FuzzParseDocument(f *testing.F) {
	f.Add([]byte(`{"version":"1","defaultSeller":"a","sellers":[{"id":"a","url":"https://a.example","models":["m"]}]}`))
	f.Add([]byte(`{"default_seller":"a","sellers":[{"id":"a","url":"http://[::1]:80/x/","protocols":["messages","x"],
		"payment_methods":["p",1],"models":[{"id":"m","aliases":["n"],"inputPriceMicrosPer1m":1,"output_price_micros_per_1m":2}]},
		{"id":"a","url":"https://b.example"},{"id":"\u00e4"},null,[],{"id":"b","url":"https://u:p@b.example"}]}`))
	f.Add([]byte(`{"sellers":[{"id":"a","url":"https://a.example:443/?x","models":[{"id":"m","cacheReadPriceMicrosPer1m":-1}]}]}`))
	f.Add([]byte(`{"sellers":[[[[]]]],"sellers":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, faults, err := ParseDocument(body)
		if err != nil {
			if doc != nil {
				t.Fatal("a refused document was given")
			}
			return
		}
		again, faultsAgain, _ := ParseDocument(body)
		if !reflect.DeepEqual(doc, again) || !slices.Equal(faults, faultsAgain) {
			t.Fatal("parsed twice, two results")
		}
		if len(faults) != min(doc.LeftOut, maxFaults) {
			t.Fatalf("%d faults for %d left out", len(faults), doc.LeftOut)
		}
		ids := make(map[string]bool)
		for _, s := range doc.Sellers {
			if ids[s.ID] {
				t.Fatalf("id %q is there twice", s.ID)
			}
			ids[s.ID] = true
			checkSeller(t, s)
		}
		index := newIndex(&TableOptions{Methods: []string{"mock", "p"}}, doc)
		for _, name := range index.Models() {
			if served, ok := index.Resolve(name); !ok || index.models[served] == nil {
				t.Fatalf("%q is listed and not served", name)
			}
		}
	})
}

func checkSeller(t *testing.T, s *Seller) {
	t.Helper()
	base, origin, err := wire.ParseURL(s.BaseURL)
	if err != nil || base != s.BaseURL || origin != s.Origin || !strings.HasPrefix(base, origin) {
		t.Fatalf("URL %q, origin %q: %q, %q, %v", s.BaseURL, s.Origin, base, origin, err)
	}
	if !ValidSellerID(s.ID) || s.Pinned || s.Protocols == 0 || len(s.Methods) == 0 {
		t.Fatalf("seller %s", dump(s))
	}
	models := make(map[string]bool)
	for _, m := range s.Models {
		if _, err := NewModel(m.ID, *m.Price, m.Aliases...); err != nil || models[m.ID] {
			t.Fatalf("model %s: %v", dump(m), err)
		}
		models[m.ID] = true
	}
}

func TestParsePricesByClass(t *testing.T) {
	doc := mustParse(t, `{"sellers":[{"id":"a","url":"https://a.example","models":[
		{"id":"camel","inputPriceMicrosPer1m":1,"outputPriceMicrosPer1m":2,"cacheReadPriceMicrosPer1m":3,"cacheWritePriceMicrosPer1m":4,
			"cacheWrite1hPriceMicrosPer1m":5,"audioInPriceMicrosPer1m":6,"audioOutPriceMicrosPer1m":7,"imageInPriceMicrosPer1m":8,
			"imageOutPriceMicrosPer1m":9,"reasoningPriceMicrosPer1m":0,"webSearchPriceMicrosPer1k":11},
		{"id":"snake","input_price_micros_per_1m":1,"output_price_micros_per1m":2,"cache_read_price_micros_per_1m":3,"cache_write_price_micros_per_1m":4,
			"cache_write_1h_price_micros_per_1m":5,"audio_in_price_micros_per_1m":6,"audio_out_price_micros_per_1m":7,"image_in_price_micros_per_1m":8,
			"image_out_price_micros_per1m":9,"reasoning_price_micros_per_1m":0,"web_search_price_micros_per_1k":11},
		{"id":"other","cache_write1h_price_micros_per_1m":5},
		{"id":"none","webSearchPriceMicrosPer1k":null}
	]}]}`)
	whole := money.Price{
		Input: 1, Output: 2, CacheRead: 3, CacheWrite: 4, CacheWrite1h: money.At(5), AudioIn: money.At(6), AudioOut: money.At(7),
		ImageIn: money.At(8), ImageOut: money.At(9), Reasoning: money.At(0), WebSearch: money.At(11),
	}
	other := money.NoPrice
	other.CacheWrite1h = money.At(5)
	want := map[string]money.Price{"camel": whole, "snake": whole, "other": other, "none": money.NoPrice}
	for _, m := range doc.Seller("a").Models {
		if *m.Price != want[m.ID] {
			t.Errorf("%s: %+v, want %+v", m.ID, *m.Price, want[m.ID])
		}
	}
	for _, bad := range []string{`-1`, `"5"`, `1.5`, `1000000000000001`, `true`} {
		doc := mustParse(t, `{"sellers":[{"id":"a","url":"https://a.example","models":[{"id":"m","webSearchPriceMicrosPer1k":`+bad+`}]}]}`)
		if doc.LeftOut != 1 {
			t.Errorf("a price of %s was taken", bad)
		}
	}
}

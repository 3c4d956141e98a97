package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

var exampleSettlement = Settlement{
	SettlementID: "s_1", BilledMicros: new(money.Micros(1234)), BalanceMicros: new(money.Micros(4998766)),
	PromptTokens: new(int64(10)), CompletionTokens: new(int64(50)), CacheReadTokens: new(int64(0)),
}

func TestParseSettlement(t *testing.T) {
	full := exampleSettlement
	full.RequestID = "r"
	for name, tc := range map[string]struct {
		data string
		want *Settlement // nil: refused
	}{
		"whole": {`{"settlementId":"s_1","requestId":"r","billedMicros":1234,"balanceMicros":4998766,"promptTokens":10,` +
			`"completionTokens":50,"cacheReadTokens":0}`, &full},
		"twins": {`{"settlement_id":"s_1","request_id":"r","billed_micros":1234,"balance_micros":4998766,"prompt_tokens":10,` +
			`"completion_tokens":50,"cache_read_tokens":0}`, &full},
		"over two lines": {"{\"settlementId\":\"s\",\n \"billedMicros\":1}", &Settlement{SettlementID: "s", BilledMicros: new(money.Micros(1))}},
		"only billed":    {`{"billedMicros":0}`, &Settlement{BilledMicros: new(money.Micros(0))}},
		"nulls":          {`{"billedMicros":1,"promptTokens":null,"balanceMicros":null}`, &Settlement{BilledMicros: new(money.Micros(1))}},
		"camelCase wins": {`{"billed_micros":9,"billedMicros":1}`, &Settlement{BilledMicros: new(money.Micros(1))}},
		"the largest":    {`{"billedMicros":1000000000000000,"balanceMicros":1000000000000000}`, &Settlement{BilledMicros: new(money.Max), BalanceMicros: new(money.Max)}},
		"nothing left":   {`{"billedMicros":1,"balanceMicros":0}`, &Settlement{BilledMicros: new(money.Micros(1)), BalanceMicros: new(money.Micros(0))}},
		"other members":  {`{"billedMicros":1,"settlement":"x","requestIds":7}`, &Settlement{BilledMicros: new(money.Micros(1))}},
		"the longest ids": {
			`{"billedMicros":1,"settlementId":"` + strings.Repeat("s", 256) + `","requestId":"` + strings.Repeat("r", 256) + `"}`,
			&Settlement{SettlementID: strings.Repeat("s", 256), RequestID: strings.Repeat("r", 256), BilledMicros: new(money.Micros(1))},
		},

		"nothing billed":    {`{"settlementId":"s"}`, nil},
		"billed null":       {`{"billedMicros":null}`, nil},
		"other case":        {`{"BilledMicros":1,"billedmicros":1}`, nil},
		"negative":          {`{"billedMicros":-1}`, nil},
		"fraction":          {`{"billedMicros":1.5}`, nil},
		"whole fraction":    {`{"billedMicros":1.0}`, nil},
		"exponent":          {`{"billedMicros":1e3}`, nil},
		"string":            {`{"billedMicros":"1"}`, nil},
		"bool":              {`{"billedMicros":true}`, nil},
		"over the largest":  {`{"billedMicros":1000000000000001}`, nil},
		"over 64 bits":      {`{"billedMicros":18446744073709551617}`, nil},
		"balance negative":  {`{"billedMicros":1,"balanceMicros":-1}`, nil},
		"balance too large": {`{"billedMicros":1,"balanceMicros":1000000000000001}`, nil},
		"balance fraction":  {`{"billedMicros":1,"balanceMicros":0.5}`, nil},
		"tokens negative":   {`{"billedMicros":1,"promptTokens":-1}`, nil},
		"tokens fraction":   {`{"billedMicros":1,"completionTokens":1.5}`, nil},
		"tokens string":     {`{"billedMicros":1,"cacheReadTokens":"1"}`, nil},
		"twin fraction":     {`{"billed_micros":1.5}`, nil},
		"id a number":       {`{"billedMicros":1,"settlementId":7}`, nil},
		"id too long":       {`{"billedMicros":1,"settlementId":"` + strings.Repeat("s", 257) + `"}`, nil},
		"request too long":  {`{"billedMicros":1,"requestId":"` + strings.Repeat("s", 257) + `"}`, nil},
		"a list":            {`[{"billedMicros":1}]`, nil},
		"null":              {`null`, nil},
		"cut":               {`{"billedMicros":1`, nil},
		"done":              {`[DONE]`, nil},
		"empty":             {``, nil},
	} {
		s, err := ParseSettlement([]byte(tc.data))
		switch {
		case tc.want != nil && (err != nil || !reflect.DeepEqual(s, *tc.want)):
			t.Errorf("%s: %s, %v", name, write(s), err)
		case tc.want == nil && (err == nil || !reflect.DeepEqual(s, Settlement{})):
			t.Errorf("%s: taken as %s", name, write(s))
		}
	}
}

func TestParseSettlementQuotesNothing(t *testing.T) {
	for _, data := range []string{
		`hunter2`, `{"settlementId":"hunter2"}`, `{"billedMicros":"hunter2"}`, `{"hunter2":1,"billedMicros":-1}`,
		`{"billedMicros":1,"settlementId":{"hunter2":1}}`,
		`{"billedMicros":1,"settlementId":"` + strings.Repeat("hunter2", 100) + `"}`,
	} {
		if _, err := ParseSettlement([]byte(data)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestSettlementHeader(t *testing.T) {
	h := http.Header{}
	exampleSettlement.SetHeader(h)
	want := http.Header{}
	for name, v := range map[string]string{
		"X-TokenBuddy-Settlement-Id": "s_1", "X-TokenBuddy-Billed-Micros": "1234", "X-TokenBuddy-Balance-Micros": "4998766",
		"X-TokenBuddy-Prompt-Tokens": "10", "X-TokenBuddy-Completion-Tokens": "50", "X-TokenBuddy-Cache-Read-Tokens": "0",
	} {
		want.Set(name, v)
	}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("headers %v, want %v", h, want)
	}
	if s, ok, err := SettlementFromHeader(h); !ok || err != nil || !reflect.DeepEqual(s, exampleSettlement) {
		t.Errorf("%s, %v, %v", write(s), ok, err)
	}

	little := http.Header{}
	Settlement{BilledMicros: new(money.Micros(1))}.SetHeader(little)
	if s, ok, err := SettlementFromHeader(little); !ok || err != nil || !reflect.DeepEqual(s, Settlement{BilledMicros: new(money.Micros(1))}) || len(little) != 1 {
		t.Errorf("%s, %v, %v of %v", write(s), ok, err, little)
	}

	for name, tc := range map[string]struct {
		change http.Header
		none   bool // no settlement at all, which is no error
	}{
		"nothing billed":   {http.Header{headerBilled: nil}, true},
		"negative":         {http.Header{headerBilled: {"-1"}}, false},
		"fraction":         {http.Header{headerBilled: {"1.5"}}, false},
		"exponent":         {http.Header{headerBilled: {"1e3"}}, false},
		"sign":             {http.Header{headerBilled: {"+1"}}, false},
		"hex":              {http.Header{headerBilled: {"0x1"}}, false},
		"underscore":       {http.Header{headerBilled: {"1_0"}}, false},
		"text":             {http.Header{headerBilled: {"hunter2"}}, false},
		"two in one":       {http.Header{headerBilled: {"1, 2"}}, false},
		"twice":            {http.Header{headerBilled: {"1", "2"}}, false},
		"too large":        {http.Header{headerBilled: {"1000000000000001"}}, false},
		"over 64 bits":     {http.Header{headerBilled: {"99999999999999999999"}}, false},
		"balance negative": {http.Header{headerBalance: {"-1"}}, false},
		"balance text":     {http.Header{headerBalance: {"hunter2"}}, false},
		"tokens text":      {http.Header{headerPromptTokens: {"hunter2"}}, false},
		"tokens negative":  {http.Header{headerCacheReadTokens: {"-1"}}, false},
		"tokens twice":     {http.Header{headerCompletionTokens: {"1", "1"}}, false},
		"id twice":         {http.Header{headerSettlementID: {"a", "b"}}, false},
		"id too long":      {http.Header{headerSettlementID: {strings.Repeat("s", 257)}}, false},
	} {
		changed := maps.Clone(want)
		maps.Copy(changed, tc.change)
		s, ok, err := SettlementFromHeader(changed)
		if ok || (err == nil) != tc.none || !reflect.DeepEqual(s, Settlement{}) {
			t.Errorf("%s: %s, %v, %v", name, write(s), ok, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error quotes the header: %v", name, err)
		}
	}
}

func TestBalanceFromHeader(t *testing.T) {
	for name, tc := range map[string]struct {
		values []string
		want   *money.Micros
	}{
		"zero": {[]string{"0"}, new(money.Micros(0))}, "some": {[]string{"77"}, new(money.Micros(77))},
		"the largest": {[]string{"1000000000000000"}, new(money.Max)},
		"none":        {nil, nil}, "empty": {[]string{""}, nil}, "negative": {[]string{"-1"}, nil}, "sign": {[]string{"+1"}, nil},
		"fraction": {[]string{"1.5"}, nil}, "twice": {[]string{"1", "2"}, nil}, "too large": {[]string{"1000000000000001"}, nil},
	} {
		if got := BalanceFromHeader(http.Header{headerBalance: tc.values}); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %s", name, write(got))
		}
	}
}

func TestSettlementEvent(t *testing.T) {
	want := "event: tokenbuddy.settlement\n" +
		`data: {"settlementId":"s_1","billedMicros":1234,"balanceMicros":4998766,"promptTokens":10,"completionTokens":50,"cacheReadTokens":0}` +
		"\n\n"
	if got := string(exampleSettlement.Event()); got != want {
		t.Errorf("%q", got)
	}
}

func TestSettlementTakesFewObjects(t *testing.T) {
	full := exampleSettlement
	full.RequestID = "r"
	_, event, _ := bytes.Cut(full.Event(), []byte("\ndata: "))
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ParseSettlement(bytes.TrimSpace(event)); err != nil {
			t.Fatal(err)
		}
	}); n > 3 { // the numbers and two ids
		t.Errorf("%v objects for an event", n)
	}
	h := http.Header{}
	full.SetHeader(h)
	if n := testing.AllocsPerRun(100, func() {
		if _, ok, err := SettlementFromHeader(h); !ok || err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v objects for headers", n)
	}
}

func FuzzParseSettlement(f *testing.F) {
	f.Add([]byte(`{"settlementId":"s_1","requestId":"r","billedMicros":1234,"balanceMicros":4998766,"promptTokens":10,"completionTokens":50,"cacheReadTokens":0}`))
	f.Add([]byte(`{"settlement_id":"\n\u2028<&>","billed_micros":0,"billedMicros":null}`))
	f.Add([]byte(`{"billedMicros":1e3,"promptTokens":"1"}`))
	for _, odd := range []string{ // what is nearly as settlements are written
		`{"billedMicros":1}x`, `{"billedMicros":1,}`, `{"billedMicros":1,"x":}`, `{"billedMicros":1,"x":"y"}`, `{"billedMicros":1,"billedMicros":2}`,
		`{"billedMicros":1,"settlementId":"a","settlementId":"b","requestId":"","requestId":"b"}`, `{"billedMicros":}`, `{"billedMicros":01}`, `{"billedMicros":-0}`,
		`{"billedMicros":1,"settlementId":"a`, `{"billedMicros":1,"settlementId":"a` + "\n" + `"}`, `{"billedMicros":1,"settlementId":"` + "\xff\x7f" + `"}`,
		`{"billedMicros":1,"settlementId":a"}`, `["billedMicros":1}`, `{"billedMicros";1}`, `{"billedMicros":1]`, `{"billedMicros":1 "requestId":"a"}`, `{billedMicros":1}`,
		"{\t\"billedMicros\"\r:\n1 }", `{}`, `{`, `{"`,
	} {
		f.Add([]byte(odd))
	}
	f.Add([]byte(` {"billedMicros" : 9223372036854775807 , "requestId":"a b~", "settlementId":"","settlementId":"x"} `))
	f.Fuzz(func(t *testing.T, data []byte) {
		if plain, ok := plainSettlement(data); ok {
			var decoded Settlement
			if err := Decode(data, &decoded); err != nil || !reflect.DeepEqual(plain, decoded) {
				t.Fatalf("%s, else it is %s, %v", write(plain), write(decoded), err)
			}
		}
		s, err := ParseSettlement(data)
		if err != nil {
			if !reflect.DeepEqual(s, Settlement{}) {
				t.Fatal("something came with the error")
			}
			return
		}
		if *s.BilledMicros < 0 || *s.BilledMicros > money.Max {
			t.Fatalf("billed %d", *s.BilledMicros)
		}
		event := s.Event()
		head, rest, _ := bytes.Cut(event, []byte("\ndata: "))
		body, end, _ := bytes.Cut(rest, []byte("\n"))
		if string(head) != "event: "+SettlementEvent || string(end) != "\n" || bytes.ContainsAny(body, "\r\n") {
			t.Fatalf("not one block: %q", event)
		}
		if again, err := ParseSettlement(body); err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%s came back as %s, %v", write(s), write(again), err)
		}
	})
}

func FuzzSettlementHeader(f *testing.F) {
	f.Add("s_1", int64(1234), int64(5), int64(10), int64(50), int64(0), uint8(0xff))
	f.Add("", int64(-1), int64(0), int64(0), int64(0), int64(0), uint8(0))
	f.Add("a b", int64(money.Max), int64(money.Max)+1, int64(1), int64(-1), int64(0), uint8(5))
	f.Fuzz(func(t *testing.T, id string, billed, balance, prompt, completion, cacheRead int64, has uint8) {
		s := Settlement{SettlementID: id, BilledMicros: (*money.Micros)(&billed)}
		if has&1 != 0 {
			s.BalanceMicros = (*money.Micros)(&balance)
		}
		if has&2 != 0 {
			s.PromptTokens = &prompt
		}
		if has&4 != 0 {
			s.CompletionTokens = &completion
		}
		if has&8 != 0 {
			s.CacheReadTokens = &cacheRead
		}
		h := http.Header{}
		s.SetHeader(h)
		got, ok, err := SettlementFromHeader(h)
		if s.check() != nil {
			if ok || err == nil {
				t.Fatalf("%s was taken", write(s))
			}
			return
		}
		if !ok || err != nil || !reflect.DeepEqual(got, s) {
			t.Fatalf("%s came back as %s, %v, %v", write(s), write(got), ok, err)
		}
	})
}

func write(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

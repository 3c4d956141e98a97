package ledger

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestRecordsAreAsEncodingJSONWritesThem: with every field set to something, some, or none, so that one that is added to a record and
// not to its writer is found here.
func TestRecordsAreAsEncodingJSONWritesThem(t *testing.T) {
	for _, record := range []func() any{
		func() any { return new(Entry) }, func() any { return &Entry{Served: new(Served)} }, func() any { return new(Hold) },
		func() any { return new(Rollup) }, func() any { return new(lengths) }, func() any { return new(store.Head) },
		func() any { return new(money.Micros) }, func() any { return new(balance) },
	} {
		for round := range 2_000 {
			v := record()
			set(reflect.ValueOf(v).Elem(), []int{1, 0, 2, 8}[round%4])
			if e, ok := v.(*Entry); ok && e.Served != nil && round%2 == 0 {
				e.Attempt, e.Correction, e.Order = nil, nil, nil
			}
			if b, ok := v.(*balance); ok {
				v = *b
			}
			want, errWant := json.Marshal(v)
			got, err := appendRecord([]byte("before"), v)
			if (err != nil) != (errWant != nil) || err == nil && string(got) != "before"+string(want) {
				t.Fatalf("%T is written\n%s, %v, want\nbefore%s, %v", v, got, err, want, errWant)
			}
		}
	}
}

// set fills a value: each part of it that is no part of one left out, in one of so many cases; 0: none.
func set(v reflect.Value, of int) {
	if of == 0 || rand.IntN(of) > 0 {
		if v.Kind() != reflect.Struct {
			return
		}
	}
	texts := []string{
		"", "a", "gpt-4.1", "a:b%c", "\"", "\\", "<a&b>", "ä€𝄞", "\u2028\u2029", "\x00\x1f\x7f\n", "\xff", "a\xc3", "7f0c5c1e-52c5-4c3b-8a53",
	}
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = []time.Time{
			{},
			time.UnixMilli(rand.Int64N(1 << 42)).UTC(), time.Unix(rand.Int64N(1<<32), rand.Int64N(1e9)).In(time.FixedZone("", 5400)),
			time.Unix(1<<40, 0), time.Unix(0, 0).In(time.FixedZone("", 30*3600)),
		}[rand.IntN(5)]
		return
	case *money.Own:
		*x = money.At(money.Micros(rand.Int64N(5) - 1))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[rand.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{0, 1, -1, 4_900, 1 << 62, -1 << 63}[rand.IntN(6)])
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(rand.Uint32()))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		set(v.Elem(), of)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rand.IntN(3), 3))
		for i := range v.Len() {
			set(v.Index(i), of)
		}
	case reflect.Array:
		for i := range v.Len() {
			set(v.Index(i), of)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				set(field, of)
			}
		}
	default:
		panic("a field of another kind: " + v.Type().String())
	}
}

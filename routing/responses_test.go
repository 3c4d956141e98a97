package routing

import (
	"testing"
	"time"
)

// responseShelf is a store in memory.
type responseShelf struct {
	keys [][16]byte
	kept map[[16]byte]Made
	of   map[[16]byte]uint64
}

func (s *responseShelf) KeepResponse(key [16]byte, member uint64, m Made) {
	s.keys = append(s.keys, key)
	s.kept[key], s.of[key] = m, member
}

func (s *responseShelf) ForgetResponse(key [16]byte) { delete(s.kept, key) }

func (s *responseShelf) EachResponse(visit func(key [16]byte, member uint64, m Made)) error {
	for _, key := range s.keys {
		if m, ok := s.kept[key]; ok {
			visit(key, s.of[key], m)
		}
	}
	return nil
}

func TestResponses(t *testing.T) {
	shelf := &responseShelf{kept: make(map[[16]byte]Made), of: make(map[[16]byte]uint64)}
	open := func(now time.Time) *Responses {
		r, err := NewResponses(1000, shelf, now)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open(noon)
	one := Made{Seller: SellerKey{"a", "https://a.example"}, Model: "m", Tokens: 1234}
	r.Put(conversation(1), 7, one, noon)
	r.Put(conversation(2), 7, one, noon)
	r.Put(conversation(3), 8, one, noon)
	r.Forget(conversation(2), noon)
	one.Until = noon.Add(30 * 24 * time.Hour)
	of := [...]uint64{1: 7, 2: 7, 3: 8, 4: 0}
	is := func(r *Responses, i int, now time.Time, want bool) {
		t.Helper()
		m, ok := r.Get(conversation(i), now)
		made := one
		made.Owner = of[i]
		if ok != want || ok && m != made {
			t.Errorf("response %d: %+v, %v", i, m, ok)
		}
	}
	again := open(noon.Add(time.Hour)) // after a restart
	for _, r := range []*Responses{r, again} {
		is(r, 1, noon.Add(time.Hour), true)
		is(r, 2, noon.Add(time.Hour), false)
		is(r, 3, noon.Add(time.Hour), true)
		is(r, 4, noon.Add(time.Hour), false)
		is(r, 1, one.Until, false)
	}
	is(open(one.Until), 1, noon, false)
	is(nil, 1, noon, false)
	(*Responses)(nil).Put(conversation(1), 7, one, noon)
}

func TestResponsesAreBounded(t *testing.T) {
	r, _ := NewResponses(MaxResponses, nil, noon)
	for i := range 2 * MaxResponses {
		r.Put(conversation(i), 1, Made{Tokens: 1}, noon)
	}
	if n := r.made.len(); n > MaxResponses || n < MaxResponses*9/10 {
		t.Errorf("%d responses", n)
	}
}

package store

import "testing"

func TestSealedValuesStayWhereTheyWere(t *testing.T) {
	s, err := NewSealer(KeyFromSecret("k"))
	if err != nil {
		t.Fatal(err)
	}
	sealed := s.Seal("t/1", []byte("bearer"))
	if plain, err := s.Open("t/1", sealed); err != nil || string(plain) != "bearer" {
		t.Errorf("opened %q, %v", plain, err)
	}
	if _, err := s.Open("t/2", sealed); err == nil {
		t.Error("it opens in another record")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := s.Open("t/1", sealed); err == nil {
		t.Error("it opens after it was changed")
	}
	if _, err := s.Open("t/1", nil); err == nil {
		t.Error("nothing opens")
	}
}

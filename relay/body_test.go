package relay

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func TestSplice(t *testing.T) {
	body := `{ "model" : "a" , "x":1}`
	for _, c := range []struct {
		name  string
		edits []Edit
		want  string
	}{
		{"nothing", nil, body},
		{"replaced", []Edit{{12, 15, []byte(`"other"`)}}, `{ "model" : "other" , "x":1}`},
		{"put in", []Edit{{1, 1, []byte(`"requestId":"r",`)}}, `{"requestId":"r", "model" : "a" , "x":1}`},
		{"both, in any order", []Edit{{12, 15, []byte(`"b"`)}, {1, 1, []byte(`"r":1,`)}}, `{"r":1, "model" : "b" , "x":1}`},
		{"two in one place", []Edit{{1, 1, []byte("1")}, {1, 1, []byte("2")}}, `{12 "model" : "a" , "x":1}`},
		{"at the ends", []Edit{{0, 1, nil}, {len(body) - 1, len(body), []byte("]")}}, ` "model" : "a" , "x":1]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := Splice([]byte(body), c.edits...)
			var written strings.Builder
			begun := b.Reader()
			if _, err := io.ReadFull(begun, make([]byte, 14)); err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(&written, begun); err != nil || n != int64(written.Len()) || written.String() != c.want[14:] || !b.Release() {
				t.Errorf("wrote %q, %d, %v", written.String(), n, err)
			}
			b = Splice([]byte(body), c.edits...)
			for range 2 { // each reader begins anew
				if err := iotest.TestReader(b.Reader(), []byte(c.want)); err != nil {
					t.Fatal(err)
				}
			}
			if b.Len() != int64(len(c.want)) {
				t.Fatalf("length %d, want %d", b.Len(), len(c.want))
			}
		})
	}
}

func TestSpliceCopiesNothing(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 1<<20)
	b := Splice(body, Edit{10, 20, []byte("y")})
	if parts := b.parts; &parts[0][0] != &body[0] || &parts[2][0] != &body[20] {
		t.Fatal("the body was copied")
	}
}

func TestSpliceRefusesEditsThatOverlap(t *testing.T) {
	for _, edits := range [][]Edit{{{0, 3, nil}, {2, 4, nil}}, {{0, 9, nil}}, {{7, 7, nil}}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v did not panic", edits)
				}
			}()
			Splice([]byte("012345"), edits...)
		}()
	}
}

func TestSpliceIsWhatItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		at := rapid.IntRange(0, len(body)).Draw(t, "start")
		end := rapid.IntRange(at, len(body)).Draw(t, "end")
		text := rapid.SliceOf(rapid.Byte()).Draw(t, "text")
		got, err := io.ReadAll(Splice(body, Edit{at, end, text}).Reader())
		if want := string(body[:at]) + string(text) + string(body[end:]); err != nil || string(got) != want {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	})
}

func TestReadWhole(t *testing.T) {
	cut := errors.New("cut")
	for _, c := range []struct {
		name  string
		in    io.Reader
		limit int64
		want  string
		more  bool
		err   error
	}{
		{"less", strings.NewReader("abc"), 4, "abc", false, nil},
		{"just so", strings.NewReader("abc"), 3, "abc", false, nil},
		{"empty", strings.NewReader(""), 3, "", false, nil},
		{"cut", io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(cut)), 3, "ab", false, cut},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, more, err := ReadWhole(c.in, c.limit, make([]byte, 0, 2))
			if string(b) != c.want || more != c.more || !errors.Is(err, c.err) {
				t.Fatalf("%q, %v, %v", b, more, err)
			}
		})
	}
	t.Run("more", func(t *testing.T) {
		r := strings.NewReader("abcdef")
		b, more, err := ReadWhole(r, 3, nil)
		rest, _ := io.ReadAll(r)
		if !more || err != nil || string(b)+string(rest) != "abcdef" || len(b) > 4 {
			t.Fatalf("%q, %v, %v, and then %q", b, more, err, rest)
		}
	})
}

// TestRelease shows that a body that was sent whole lets go of its bytes, and one that was not does not: a transport may
// still be at it.
func TestRelease(t *testing.T) {
	b := Splice([]byte(`{"model":"m"}`), Edit{Start: 1, End: 1, Text: []byte(`"x":1,`)})
	r := b.Reader()
	if _, err := io.CopyN(io.Discard, r, 5); err != nil {
		t.Fatal(err)
	}
	if b.Release() {
		t.Fatal("released in the middle")
	}
	rest := make([]byte, 64)
	n, err := r.Read(rest)
	if err != nil || string(rest[:n]) != `1,"model":"m"}` {
		t.Fatalf("the rest is %q, %v", rest[:n], err)
	}
	for range 2 {
		if !b.Release() {
			t.Fatal("not released after it was read whole")
		}
	}
	if _, err := r.Read(rest); err != io.EOF {
		t.Fatalf("who has read it whole gets %v at its end", err)
	}
	if _, err := io.ReadAll(b.Reader()); err == nil {
		t.Fatal("a released body reads as empty")
	}
}

package market

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// lister is a pinned seller with a list of its own.
func lister(t *testing.T, id, url, path string) *routing.Seller {
	t.Helper()
	s, err := routing.NewPinned(routing.Pin{ID: id, URL: url, Account: true, ListPath: path})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// holds is an account with a key of its own.
func holds(key string) http.Header { return http.Header{"Authorization": {"Bearer " + key}} }

// kept is what a market keeps of a seller's list.
func kept(m *Market, s *routing.Seller, account http.Header) string {
	l, release := m.List(s, account)
	defer release()
	models, known := l.Models()
	return fmt.Sprint(models, known)
}

// TestLists keeps lists over the gateways that use them and over a restart, each for its seller, address and account.
func TestLists(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "books")
	m := openMarket(t, dir)
	own := lister(t, "own", "https://own.example/v1?key=secret", "/v1/models")
	first, release := m.List(own, holds("sk-secret"))
	first.Keep([]string{"a", "b"})
	second, releaseSecond := m.List(own, holds("sk-secret"))
	release()
	second.Keep([]string{"a", "c"})
	if models, known := first.Models(); !known || !slices.Equal(models, []string{"a", "c"}) {
		t.Errorf("another gateway knows %q, %v", models, known)
	}
	releaseSecond()
	for _, other := range []*routing.Seller{
		lister(t, "other", "https://own.example/v1?key=secret", "/v1/models"), lister(t, "own", "https://own.example/v1?key=secret", "/v1/others"),
		lister(t, "own", "https://own.example/v1", "/v1/models"), lister(t, "own", "http://own.example/v1?key=secret", "/v1/models"),
	} {
		if got := kept(m, other, holds("sk-secret")); got != "[] false" {
			t.Errorf("%s at %s has %s", other.ID, other.ListAddress(), got)
		}
	}
	for _, account := range []http.Header{{}, holds("sk-other"), {"X-Api-Key": {"Bearer sk-secret"}}, {"Authorization": {"Bearer sk-secret"}, "Project": {"b"}}} {
		if got := kept(m, own, account); got != "[] false" {
			t.Errorf("the account of %q has %s", account, got)
		}
	}
	m.listKey[0]++ // another ledger's
	if got := kept(m, own, holds("sk-secret")); got != "[] false" {
		t.Errorf("with another key of the ledger: %s", got)
	}
	m.listKey[0]--
	if got := kept(m, own, holds("sk-secret")); got != "[a c] true" {
		t.Errorf("after the last gateway: %s", got)
	}
	files, err := filepath.Glob(filepath.Join(dir, "models-*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files: %q, %v", files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil || strings.Contains(string(whole), "secret") {
		t.Errorf("%v, the file has %s", err, whole)
	}
}

// TestListDamaged: a file that is damaged, or another list's, is as none, until the list is read again.
func TestListDamaged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "books")
	m := openMarket(t, dir)
	core, logs := observer.New(zapcore.WarnLevel)
	m.logger = zap.New(core)
	own, other := lister(t, "own", "https://own.example", "/v1/models"), lister(t, "other", "https://other.example", "/v1/models")
	keep := func(s *routing.Seller, models ...string) {
		l, release := m.List(s, nil)
		defer release()
		l.Keep(models)
	}
	keep(other, "theirs")
	theirs, err := filepath.Glob(filepath.Join(dir, "models-*"))
	if err != nil || len(theirs) != 1 {
		t.Fatalf("files: %q, %v", theirs, err)
	}
	foreign, err := os.ReadFile(theirs[0])
	if err != nil {
		t.Fatal(err)
	}
	keep(own, "a", "b")
	l, release := m.List(own, nil)
	path := filepath.Join(dir, "models-"+l.of[:16]+".json")
	release()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	save := func(document string) []byte {
		if err := routing.FileCache(path).Save([]byte(document), ""); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	of := `{"of":"` + l.of + `","models":[`
	for name, damaged := range map[string][]byte{
		"empty": {}, "cut": whole[:len(whole)-1], "flipped": []byte(strings.Replace(string(whole), `"a"`, `"c"`, 1)), "another's": foreign,
		"no list": save(`[]`), "unsorted": save(of + `"b","a"]}`), "an id that is none": save(of + `"\u0000"]}`),
		"too long": save(of + `"a"` + strings.Repeat(`,"a"`, MaxListed) + `]}`),
	} {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		before := logs.Len()
		if got := kept(m, own, nil); got != "[] false" || logs.Len() != before+1 {
			t.Errorf("%s: %s with %d warnings", name, got, logs.Len()-before)
		}
	}
	keep(own, "a")
	if got := kept(m, own, nil); got != "[a] true" {
		t.Errorf("after a new list: %s", got)
	}
}

// TestListUnsaved: a list that can't be written is known all the same, told of once, and written as soon as that goes.
func TestListUnsaved(t *testing.T) {
	m := openMarket(t, filepath.Join(t.TempDir(), "books"))
	core, logs := observer.New(zapcore.WarnLevel)
	m.logger = zap.New(core)
	own := lister(t, "own", "https://own.example", "/v1/models")
	l, release := m.List(own, nil)
	defer release()
	path := filepath.Join(m.dir, "models-"+l.of[:16]+".json")
	if err := os.Mkdir(path, 0o700); err != nil { // nothing is renamed over a directory
		t.Fatal(err)
	}
	l.loaded = true
	for range 3 {
		l.Keep([]string{"a"})
	}
	if models, known := l.Models(); !known || len(models) != 1 || logs.FilterMessage("seller.models.save_failed").Len() != 1 {
		t.Errorf("%q, %v, and the log has %v", models, known, logs.All())
	}
	l.Keep([]string{"b"})
	if n := logs.Len(); n != 2 {
		t.Errorf("%d warnings after another list", n)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l.Keep([]string{"b"})
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

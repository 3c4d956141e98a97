package seller

import (
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/gofrs/flock"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// TestOneProcessAtATime: books whose files another process uses are not written, and what that has written is read when it is gone.
func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	s := newSeller(t, "state "+dir+"/books.json")
	beside, err := openBooks(s.ID, dir+"/books.json", zap.NewNop()) // as another process reads them
	if err != nil {
		t.Fatal(err)
	}
	g := buy(t, s, "p", 1000)
	if err := beside.claim(); err == nil || !strings.Contains(err.Error(), "used by another process") {
		t.Fatalf("they are used: %v", err)
	}
	// By another name they are the same, and so for a seller of the same process.
	if err := os.Symlink(dir, dir+"-too"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir + "-too") })
	too, err := provision(t, s.ID, "state "+dir+"-too/books.json")
	if err != nil {
		t.Fatal(err)
	}
	if w := post(t, too, "/v1/chat/completions", hello, "Authorization", bearer(g)); w.Code != 503 {
		t.Errorf("beside the other: %d %s", w.Code, w.Body)
	}
	post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(g), "Idempotency-Key", "k")
	want := s.books.Report()
	if err := s.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if w := post(t, too, "/v1/chat/completions", hello, "Authorization", bearer(g), "Idempotency-Key", "k"); w.Code != 200 {
		t.Errorf("when it is gone: %d %s", w.Code, w.Body)
	}
	if got := too.books.Report(); len(got.Charges) != 1 || got.Charges[0].SettlementID != want.Charges[0].SettlementID || got.Tokens[0] != want.Tokens[0] {
		t.Errorf("it goes on with %+v, not %+v", got, want)
	}
	if err := beside.claim(); err == nil {
		t.Error("they are used again")
	}
}

// TestBooksThatClose: a request of a config that has just gone does not write in files whose lock is being given up.
func TestBooksThatClose(t *testing.T) {
	file := t.TempDir() + "/books.json"
	s, err := provision(t, t.Name(), "state "+file)
	if err != nil {
		t.Fatal(err)
	}
	g := buy(t, s, "p", 1000)
	old := s.books
	old.journal.mu.Lock() // what closes them waits
	gone := make(chan error, 1)
	go func() { gone <- s.Cleanup() }()
	for held := true; held; _, held = pool.References(s.poolKey()) {
		runtime.Gosched()
	}
	books, release, refused := s.hold()
	old.journal.mu.Unlock()
	if err := <-gone; err != nil {
		t.Error(err)
	}
	if refused == nil {
		defer release()
		beside, err := openBooks(s.ID, file, zap.NewNop()) // as another process reads them
		if err != nil {
			t.Fatal(err)
		}
		if err := beside.claim(); err == nil {
			t.Errorf("another process may write beside the request, whose books have a lock: %v", books.lock != nil)
		}
	}
	if w := post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(g)); w.Code != 200 {
		t.Errorf("once they are closed: %d %s", w.Code, w.Body)
	}
}

// TestNoLocksThere: where the file system has no locks, the seller goes on without, as it did before there was one.
func TestNoLocksThere(t *testing.T) {
	before := tryLock
	t.Cleanup(func() { tryLock = before })
	for why, want := range map[error]int{errors.ErrUnsupported: 200, syscall.ENOSYS: 200, syscall.ENOLCK: 200, syscall.EIO: 503} {
		tryLock = func(*flock.Flock) (bool, error) { return false, why }
		s, err := provision(t, t.Name(), "state "+t.TempDir()+"/books.json")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := json.Marshal(wire.CreatePurchase{PurchaseID: "p", ModelID: s.Models[0].ID, PaymentMethod: "mock", AmountMicros: 1000})
		if w := post(t, s, wire.PurchaseCreatePath, string(body)); w.Code != want {
			t.Errorf("%v: %d %s", why, w.Code, w.Body)
		}
	}
}

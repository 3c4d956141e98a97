package ledger

import "testing"

// TestDirectIsDurable: what is written outside of any batch, such as the epoch, waits for a sync as what is in one does.
func TestDirectIsDurable(t *testing.T) {
	l, err := Open(Options{Dir: t.TempDir(), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.db.Unsynced() {
		t.Fatal("it is not synced at first")
	}
	if err := l.write(func(d *direct) { d.set(metaEpoch, []byte("7")) }); err != nil || !l.db.Unsynced() {
		t.Fatalf("nobody knows that it is to be synced (%v)", err)
	}
	if err := l.Durable(t.Context()); err != nil || l.db.Unsynced() {
		t.Errorf("it is not synced: %v", err)
	}
}

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFullDisk fills the ledger's disk: nothing is sent any more, and it goes on by itself when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=400m"); err != nil {
		t.Skipf("NOT TESTED: a small disk can't be mounted here (%v); it takes root", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	seller := newSeller(t, "acme", answerPlain)
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, seller), "\t\tledger badger "+filepath.Join(disk, "books")+"\n"))
	c.start()
	infer := func() int {
		res, _ := c.post("/v1/chat/completions", chatBody)
		if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		return res.StatusCode
	}
	if status := infer(); status != http.StatusOK {
		t.Fatalf("status %d with room", status)
	}
	hog := filepath.Join(disk, "hog")
	if err := os.WriteFile(hog, make([]byte, 200<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is sent", func() bool { return infer() == http.StatusServiceUnavailable })
	asked := len(seller.inferences())
	if status := infer(); status != http.StatusServiceUnavailable || len(seller.inferences()) != asked {
		t.Errorf("status %d, and the seller was asked %d times more", status, len(seller.inferences())-asked)
	}
	c.verify()
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it goes on", func() bool { return infer() == http.StatusOK })
	for _, message := range []string{"ledger.disk.full", "ledger.disk.recovered"} {
		if !c.log.has(message) {
			t.Errorf("%s is not logged", message)
		}
	}
	c.stop()
}

package ledger_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

const fullDir = "LEDGER_ON_A_DISK_THAT_GETS_FULL_IN"

// TestFullDiskCrash fills the disk under a ledger, up to the last byte, on a file system of its own: a store that is mapped into memory
// ends the process when it writes where there is no block. What is booked then must be booked, the end must be one without a crash,
// the ledger must say at the next start that there is no room, and be whole when there is.
func TestFullDiskCrash(t *testing.T) {
	if dir := os.Getenv(fullDir); dir != "" {
		bookOnAFullDisk(t, dir)
		return
	}
	if testing.Short() {
		t.Skip("fills a disk")
	}
	image := filepath.Join(t.TempDir(), "disk")
	needFileSystem(t, image)
	dir := mount(t, image)
	c := exec.Command(os.Args[0], "-test.run=^TestFullDiskCrash$", "-test.v")
	c.Env = append(os.Environ(), fullDir+"="+dir)
	out, err := c.CombinedOutput() // a SIGBUS would be an error, and no "booked"
	if err != nil || !strings.Contains(string(out), "booked 1500") {
		t.Fatalf("%v\n%s", err, out)
	}
	o := ledger.Options{Dir: filepath.Join(dir, "ledger"), Key: testKey}
	if l, err := ledger.Open(o); !errors.Is(err, ledger.ErrNoRoom) {
		if err == nil {
			_ = l.Close()
		}
		t.Errorf("on a full disk it opens: %v", err)
	}
	for _, name := range []string{"filled", "filled again"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	_, said, _ := strings.Cut(string(out), "booked more:")
	var more uint64
	if _, err := fmt.Sscan(said, &more); err != nil {
		t.Fatal(err)
	}
	l := open(t, o)
	if r := mustVerify(t, l); r.Entries != 2+1500+more {
		t.Errorf("there are %d entries", r.Entries)
	}
}

// bookOnAFullDisk is the process.
func bookOnAFullDisk(t *testing.T, dir string) {
	l, err := ledger.Open(ledger.Options{Dir: filepath.Join(dir, "ledger"), Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	buy(t, l, "t1", "acme", money.USD)
	more := 0
	book := func(n int) {
		for range n {
			in := inference(hold("", "acme", "t1"), 10)
			in.Settlement.SettlementID = ledger.NewID()
			if _, err := l.Settle(in).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	book(500)
	fill(t, filepath.Join(dir, "filled"))
	book(1000)
	fmt.Println("booked 1500")

	// The log gets full, and there is no room for another: what comes then waits, and what only looks does not.
	large := inference(hold("", "acme", "t1"), 1)
	large.Settlement, large.RequestedModel = nil, strings.Repeat("x", 7<<10)
	var waiting *ledger.Settling
	for waiting == nil {
		s := l.Settle(large)
		select {
		case <-s.Done():
			if _, err := s.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			more++
		case <-time.After(5 * time.Second):
			waiting = s
		}
	}
	if _, err := l.Stand(t.Context()); err != nil {
		t.Error(err)
	}
	if free, err := os.Stat(filepath.Join(dir, "filled")); err != nil || os.Truncate(filepath.Join(dir, "filled"), free.Size()-200<<20) != nil {
		t.Fatal("no room can be made")
	}
	if _, err := waiting.Wait(t.Context()); err != nil {
		t.Errorf("once there is room: %v", err)
	}
	more++
	fill(t, filepath.Join(dir, "filled again"))
	fmt.Println("booked more:", more)
	if err := l.Close(); !errors.Is(err, ledger.ErrNoRoom) {
		t.Errorf("closed on a full disk: %v", err)
	}
	os.Exit(0) // what is left open would be found to leak
}

// fill writes until nothing more goes.
func fill(t *testing.T, path string) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	for len(block) > 0 {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
	_ = f.Sync()
	_ = f.Close()
}

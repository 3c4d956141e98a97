package ledger_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// disk is what the files of a directory hold.
type disk map[string]content

// content is a file: its bytes up to the last that is not zero, and its length.
type content struct {
	data []byte
	size int64
}

func readDisk(t testing.TB, dir string) disk {
	t.Helper()
	d := disk{}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if f.Name() != "LOCK" {
			d[f.Name()] = content{bytes.Clone(bytes.TrimRight(data, "\x00")), int64(len(data))}
		}
	}
	return d
}

// write puts the files into a new directory; change may alter or remove what it is given.
func (d disk) write(t testing.TB, name string, change func(content) (content, bool)) string {
	t.Helper()
	dir := t.TempDir()
	for file, c := range d {
		if file == name {
			var keep bool
			if c, keep = change(c); !keep {
				continue
			}
		}
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, c.data[:min(int64(len(c.data)), c.size)], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, c.size); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// flip turns one bit.
func flip(at int) func(content) (content, bool) {
	return func(c content) (content, bool) {
		c.data = append(bytes.Clone(c.data), make([]byte, max(0, at+1-len(c.data)))...)
		c.data[at] ^= 1 << (at % 8)
		return c, true
	}
}

func cut(size int64) func(content) (content, bool) {
	return func(c content) (content, bool) {
		c.size = size
		return c, true
	}
}

func lose(content) (content, bool) { return content{}, false }

// emptyLog is the length of a log in which nothing is.
const emptyLog = 20

// crashed gives the files of a ledger whose process died, and its anchor: some tables, one of them flushed by the process
// that died, and a log that has the newest entries.
func crashed(t testing.TB) (d disk, anchor string, head string) {
	t.Helper()
	dir, anchor := t.TempDir(), filepath.Join(t.TempDir(), "anchor")
	first, err := ledger.Open(ledger.Options{Dir: dir, Key: testKey, Anchor: anchor})
	if err != nil {
		t.Fatal(err)
	}
	buy(t, first, "t", "acme", money.Max)
	random := rand.NewChaCha8([32]byte{})
	large := func(h *ledger.Hold) { // few requests make a large ledger, in which nothing can be compressed
		text := make([]byte, 7<<9)
		_, _ = random.Read(text)
		h.RequestedModel = hex.EncodeToString(text)
	}
	settleMany(t, first, 900, large)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(ledger.Options{Dir: dir, Key: testKey, Anchor: anchor})
	if err != nil {
		t.Fatal(err)
	}
	for len(logs(t, dir)) == 1 {
		settleMany(t, l, 50, large)
	}
	for len(logs(t, dir)) > 1 { // until the older one is a table
		settleMany(t, l, 1, large)
	}
	settleMany(t, l, 50, large)
	mustVerify(t, l)
	settleMany(t, l, 10, large) // which the journal alone may have
	now, err := l.Stand(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	head, d = now.Head, readDisk(t, dir)
	if err := l.Close(); err != nil { // as if the anchor had been written just before
		t.Fatal(err)
	}
	return d, anchor, head
}

// logs are those that are in use: the next one is made ahead, and empty.
func logs(t testing.TB, dir string) []string {
	t.Helper()
	return slices.DeleteFunc(files(t, dir, "*.mem"), func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || info.Size() == 0
	})
}

func files(t testing.TB, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestDamageCrash flips bits in, cuts off and loses each of the files that a ledger consists of. It must be whole nevertheless,
// or say what is wrong and what to do. TOKENBUDDY_CHAOS=1 flips more bits.
func TestDamageCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("opens a hundred ledgers")
	}
	d, anchor, head := crashed(t)
	flips, chaos := 1, os.Getenv("TOKENBUDDY_CHAOS") != ""
	if chaos {
		flips = 30
	}
	random := rand.New(rand.NewPCG(1, 2))
	for name, c := range d {
		end := max(len(c.data), 1)
		changes := map[string]func(content) (content, bool){
			"lost": lose, "empty": cut(0), "cut to a byte": cut(1), "cut to a half": cut(int64(end / 2)), "cut by a byte": cut(int64(end - 1)),
		}
		for range flips {
			at := random.IntN(end)
			changes[fmt.Sprintf("bit of byte %d of %d", at, end)] = flip(at)
		}
		if len(c.data) <= emptyLog && !chaos {
			changes = map[string]func(content) (content, bool){"lost": lose}
		}
		if chaos {
			for _, at := range []int{0, 4, 8, 12, 19, 20, 24, end - 1, end - 2, end - 4, end - 8, end - 12, end} {
				if at >= 0 && at < int(c.size) {
					changes[fmt.Sprintf("bit of byte %d of %d", at, end)] = flip(at)
				}
			}
		}
		if name == "MANIFEST" { // whose end is a list of what has happened last
			for at := max(0, end-100*flips); at < end; at += 7 {
				changes[fmt.Sprintf("cut to %d of %d", at, end)] = cut(int64(at))
				changes[fmt.Sprintf("bit of byte %d of %d", at, end)] = flip(at)
			}
		}
		t.Run(name, func(t *testing.T) {
			found := map[string]int{}
			for what, change := range changes {
				dir := d.write(t, name, change)
				outcome := fate(dir, copyOf(t, anchor), head)
				os.RemoveAll(dir)
				if found[outcome]++; outcome != whole && outcome != refused {
					t.Errorf("%s: %s", what, outcome)
				}
			}
			t.Log(found)
		})
	}
}

// The two good ends.
const (
	whole   = "whole"
	refused = "refused"
)

// fate opens a ledger and says what has become of it.
func fate(dir, anchor, head string) string {
	l, err := ledger.Open(ledger.Options{Dir: dir, Key: testKey, Anchor: anchor})
	if err != nil {
		if !strings.Contains(err.Error(), "restore a backup") {
			return "no hint what to do: " + err.Error()
		}
		return refused
	}
	defer l.Close()
	if r, err := l.Verify(context.Background()); err != nil || !r.OK || r.Head != head {
		return fmt.Sprintf("it opens, and verify says %v, %v", r, err)
	}
	return whole
}

func copyOf(t *testing.T, path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(to, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestDamageFoundLater flips bits in the tables of a ledger that is too large to be read before it opens. The files were copied
// while the store may have been merging tables: one of those that it has done with, or not yet made, is none of the ledger's,
// and whatever is in it all of the ledger is there.
func TestDamageFoundLater(t *testing.T) {
	if testing.Short() {
		t.Skip("opens a dozen ledgers")
	}
	d, _, head := crashed(t)
	random := rand.New(rand.NewPCG(3, 4))
	later := 0
	for name, c := range d {
		if filepath.Ext(name) != ".sst" {
			continue
		}
		for range 2 {
			at := random.IntN(len(c.data))
			l, said, err := openAndWait(t, d.write(t, name, flip(at)))
			if err != nil {
				if !strings.Contains(err.Error(), "restore a backup") {
					t.Errorf("%s, byte %d: %v", name, at, err)
				}
				continue
			}
			if said == "ledger.scrub.done" {
				if r, err := l.Verify(t.Context()); err != nil || !r.OK || r.Head != head || l.Err() != nil {
					t.Errorf("%s, byte %d: nothing is found, and verify says %v, %v", name, at, err, r)
				}
				l.Close()
				continue
			}
			later++
			if err := l.Err(); said != "ledger.damaged" || err == nil || !strings.Contains(err.Error(), "restore a backup") ||
				!strings.Contains(err.Error(), name) {
				t.Errorf("%s, byte %d: the ledger logs %s and says %v", name, at, said, err)
			}
			if err := l.ReleaseHold("h").Wait(t.Context()); err == nil || l.Err() == nil || err.Error() != l.Err().Error() {
				t.Errorf("a command after that: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if later == 0 {
		t.Error("no table is read in the background")
	}
	l, said, err := openAndWait(t, d.write(t, "", nil))
	if err != nil || said != "ledger.scrub.done" || l.Err() != nil {
		t.Errorf("a whole ledger logs %s and says %v, %v", said, err, l.Err())
	}
	l.Close()
}

// openAndWait opens a ledger that reads its tables in the background, and waits until it has.
func openAndWait(t *testing.T, dir string) (l *ledger.Ledger, said string, err error) {
	events := make(chan string, 1)
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), zapcore.AddSync(io.Discard), zap.DebugLevel)
	log := zap.New(core, zap.Hooks(func(e zapcore.Entry) error {
		if e.Message == "ledger.damaged" || strings.HasPrefix(e.Message, "ledger.scrub") {
			events <- e.Message
		}
		return nil
	}))
	l, err = ledger.Open(ledger.ReadInBackground(ledger.Options{Dir: dir, Key: testKey, Logger: log}))
	if err != nil {
		return nil, "", err
	}
	return l, <-events, nil
}

// settleMany holds and settles n requests that look like real ones, many at once.
func settleMany(t testing.TB, l *ledger.Ledger, n int, change ...func(*ledger.Hold)) {
	t.Helper()
	settlings := make(chan *ledger.Settling, 512)
	go func() {
		defer close(settlings)
		for i := range n {
			h := realHold(i, "t")
			for _, f := range change {
				f(&h)
			}
			l.PlaceHold(h)
			settlings <- l.Settle(realInference(h))
		}
	}()
	for s := range settlings {
		if _, err := s.Wait(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

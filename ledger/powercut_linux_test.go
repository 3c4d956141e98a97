package ledger_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

const (
	cutDir      = "LEDGER_TO_BE_CUT_OFF_IN"
	cutUnsynced = "LEDGER_TO_BE_CUT_OFF_WITHOUT_SYNCS"
)

// TestPowerCutCrash takes the power from a machine at a random moment while its ledger is busy: the ledger is on a file
// system in a file, and a copy of that file, as the file system has written it so far, is the disk that is left. What
// was acknowledged by then must be on it. TOKENBUDDY_CHAOS=1 makes it 25 cuts.
func TestPowerCutCrash(t *testing.T) {
	if dir := os.Getenv(cutDir); dir != "" {
		workUntilCut(t, dir)
		return
	}
	cuts := 3
	if os.Getenv("TOKENBUDDY_CHAOS") != "" {
		cuts = 25
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("%d cuts, seed %d", cuts, seed)
	acknowledged, lost := cutPower(t, cuts, rand.New(rand.NewPCG(seed, 0)), false)
	t.Logf("%d commands were acknowledged until the last cut, and %d were lost at a cut", acknowledged, len(lost))
	for _, what := range lost {
		t.Error(what)
	}
}

// TestPowerCutCrashWithoutSyncs shows that the test above can fail: without syncs acknowledged commands are lost.
func TestPowerCutCrashWithoutSyncs(t *testing.T) {
	acknowledged, lost := cutPower(t, 2, rand.New(rand.NewPCG(1, 0)), true)
	t.Logf("%d commands were acknowledged until the last cut, and %d were lost at a cut", acknowledged, len(lost))
	if len(lost) == 0 {
		t.Error("nothing is lost without syncs: the test shows nothing")
	}
}

// cutPower runs a busy ledger, cuts its power so many times, and gives how much was acknowledged, and what of it is not on
// the disk that a cut has left.
func cutPower(t *testing.T, cuts int, random *rand.Rand, unsynced bool) (acknowledged int, lost []string) {
	image := filepath.Join(t.TempDir(), "disk")
	needFileSystem(t, image)
	mounted := mount(t, image)
	w := startWriter(t, filepath.Join(mounted, "ledger"), unsynced)
	for range cuts {
		w.waitFor(t, 300+random.IntN(2_000))
		said := w.pause(t)
		left := filepath.Join(t.TempDir(), "disk")
		copyAtOnce(t, image, left)
		acknowledged = len(said)
		lost = append(lost, missing(t, left, said, unsynced)...)
		if err := os.Remove(left); err != nil {
			t.Error(err)
		}
		w.resume(t)
	}
	return acknowledged, lost
}

// missing mounts what is left of a disk, opens the ledger on it, and gives what is not there.
func missing(t *testing.T, image string, said []string, unsynced bool) (lost []string) {
	dir := mount(t, image)
	defer unmount(t, dir)
	l, err := ledger.Open(ledger.Options{Dir: filepath.Join(dir, "ledger"), Key: testKey})
	if err != nil {
		if unsynced {
			return []string{err.Error()}
		}
		t.Fatalf("after the cut: %v", err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	if r, err := l.Verify(t.Context()); err != nil || !r.OK {
		if unsynced {
			return []string{fmt.Sprint(r.Problem, err)}
		}
		t.Fatalf("after the cut: %+v, %v", r, err)
	}
	booked, bought := map[string]billing.Source{}, map[string]bool{}
	if err := l.Entries(t.Context(), ledger.Query{}, func(e *ledger.Entry) error {
		switch {
		case e.Served == nil:
			bought[e.PurchaseID] = bought[e.PurchaseID] || e.State == ledger.Granted
		case booked[e.RequestID] != "":
			t.Errorf("%s is booked twice", e.RequestID)
		default:
			booked[e.RequestID] = e.BilledSource
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, line := range said {
		what, id, _ := strings.Cut(line, " ")
		// What was only held is booked as an estimate, by this Open.
		if what == "held" && booked[id] == "" || what == "settled" && booked[id] != billing.SourceSettlement ||
			what == "bought" && !bought[id] {
			lost = append(lost, line+" is lost")
		}
	}
	return lost
}

// writer is a process with a busy ledger.
type writer struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	said []string // what it has acknowledged
	more chan struct{}
}

func startWriter(t *testing.T, dir string, unsynced bool) *writer {
	w := &writer{cmd: exec.Command(os.Args[0], "-test.run=^TestPowerCutCrash$"), more: make(chan struct{}, 1)}
	w.cmd.Env = append(os.Environ(), cutDir+"="+dir, cutUnsynced+"="+strconv.FormatBool(unsynced))
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := w.cmd.StdoutPipe()
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(w.more)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			w.mu.Lock()
			w.said = append(w.said, lines.Text())
			w.mu.Unlock()
			select {
			case w.more <- struct{}{}:
			default:
			}
		}
	})
	t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		reader.Wait()
		_ = w.cmd.Wait()
	})
	return w
}

// waitFor waits for n more acknowledgements.
func (w *writer) waitFor(t *testing.T, n int) {
	n += w.count()
	for w.count() < n {
		if _, ok := <-w.more; !ok {
			t.Fatalf("the writer has ended by itself: %v", w.said)
		}
	}
}

func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.said)
}

// pause stops the writer and gives what it has acknowledged until now.
func (w *writer) pause(t *testing.T) []string {
	if err := w.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(w.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("the writer does not stop: %v, %v", status, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.said...)
}

func (w *writer) resume(t *testing.T) {
	if err := w.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// workUntilCut buys, holds and settles, and says what is durable.
func workUntilCut(t *testing.T, dir string) {
	o := ledger.Options{Dir: dir}
	if os.Getenv(cutUnsynced) == "true" {
		o = ledger.Unsynced(o)
	}
	l := open(t, o)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				token := ledger.NewID()
				buy(t, l, token, "acme", money.USD)
				fmt.Println("bought", token)
				for range 50 {
					h := realHold(0, token)
					if err := l.PlaceHold(h).Wait(context.Background()); err != nil {
						t.Error(err)
						return
					}
					fmt.Println("held", h.RequestID)
					if _, err := l.Settle(realInference(h)).Wait(context.Background()); err != nil {
						t.Error(err)
						return
					}
					fmt.Println("settled", h.RequestID)
				}
			}
		})
	}
	wg.Wait()
}

// needFileSystem makes a file system in a file, or skips the test.
func needFileSystem(t *testing.T, image string) {
	if os.Getuid() != 0 {
		t.Skip("THE POWER-CUT TEST IS NOT RUN: it needs root, to mount a file system")
	}
	f, err := os.Create(image)
	if err == nil {
		err = errors.Join(f.Truncate(512<<20), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", image).CombinedOutput(); err != nil {
		t.Skipf("THE POWER-CUT TEST IS NOT RUN: mkfs.ext4: %v\n%s", err, out)
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-o", "loop", image, dir).CombinedOutput(); err != nil {
		t.Skipf("THE POWER-CUT TEST IS NOT RUN: mount: %v\n%s", err, out)
	}
	unmount(t, dir)
}

// mount mounts a file system in a file; its loop device goes with it. Only a clean-up unmounts what a test leaves behind.
func mount(t *testing.T, image string) string {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-o", "loop", image, dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "--lazy", dir).Run() })
	return dir
}

func unmount(t *testing.T, dir string) {
	if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
		t.Errorf("umount: %v\n%s", err, out)
	}
}

// copyAtOnce copies a file as it is at one moment: once more when the system has written to it meanwhile.
func copyAtOnce(t *testing.T, from, to string) {
	for {
		before, err := os.Stat(from)
		if err != nil {
			t.Fatal(err)
		}
		copySparse(t, from, to)
		if after, err := os.Stat(from); err == nil && after.ModTime().Equal(before.ModTime()) {
			return
		}
	}
}

// copySparse copies a file without its holes. What a file system on a loop device has not written yet is not in the file:
// reading the file does not make it write.
func copySparse(t *testing.T, from, to string) {
	const seekData, seekHole = 3, 4
	src, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	info, err := src.Stat()
	if err == nil {
		err = dst.Truncate(info.Size())
	}
	for at := int64(0); err == nil; {
		var end int64
		if at, err = src.Seek(at, seekData); errors.Is(err, syscall.ENXIO) {
			return // nothing but a hole is left
		} else if err != nil {
			break
		}
		if end, err = src.Seek(at, seekHole); err != nil {
			break
		}
		_, err = io.Copy(io.NewOffsetWriter(dst, at), io.NewSectionReader(src, at, end-at))
		at = end
	}
	if err != nil {
		t.Fatal(err)
	}
}

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
	cutDir = "LEDGER_TO_BE_CUT_OFF_IN"
	cutHow = "LEDGER_TO_BE_CUT_OFF_SYNCS"
)

// What of the ledger's syncs is done.
const (
	syncAll  = "all"
	syncLate = "late" // nothing is synced for the time alone
	syncNone = "never"
)

// Who is busy with the ledger, and how many requests a client makes with a token.
const (
	cutClients = 8
	cutRounds  = 50
)

// TestPowerCutCrash takes the power from a machine at a random moment while its ledger is busy: the ledger is on a file
// system in a file, and a copy of that file, as the file system has written it so far, is the disk that is left. What
// was acknowledged by then must be on it. Of a settlement that is its hold, until something else was acknowledged to the same client.
// TOKENBUDDY_CHAOS=1 makes it 25 cuts.
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
	random := rand.New(rand.NewPCG(seed, 0))
	acknowledged, left := cutPower(t, cuts, func() int { return 300 + random.IntN(2_000) }, syncAll)
	t.Logf("%d commands were acknowledged until the last cut, %d settlements were late and booked as estimates, and %d commands were "+
		"lost at a cut", acknowledged, left.late, len(left.lost))
	for _, what := range left.lost {
		t.Error(what)
	}
}

// TestPowerCutCrashOfLateSettlements cuts the power where the last settlements were told and nothing came that would have synced them:
// they are booked as estimates, and nothing else is missing.
func TestPowerCutCrashOfLateSettlements(t *testing.T) {
	all := func() int { return cutClients * (1 + 2*cutRounds) }
	_, left := cutPower(t, 1, all, syncLate)
	if left.late == 0 || left.late > cutClients || len(left.lost) > 0 {
		t.Errorf("%d settlements were late, and there were lost %v", left.late, left.lost)
	}
}

// TestPowerCutCrashWithoutSyncs shows that the test above can fail: without syncs acknowledged commands are lost.
func TestPowerCutCrashWithoutSyncs(t *testing.T) {
	acknowledged, left := cutPower(t, 2, func() int { return 1_000 }, syncNone)
	t.Logf("%d commands were acknowledged until the last cut, and %d were lost at a cut", acknowledged, len(left.lost))
	if len(left.lost) == 0 {
		t.Error("nothing is lost without syncs: the test shows nothing")
	}
}

// remains are what is not on the disk that a cut has left.
type remains struct {
	lost []string
	late int // settlements in whose place their holds are
}

// cutPower runs a busy ledger, cuts its power so many times, after so many acknowledgements each, and gives how much was acknowledged, and what of it is not there.
func cutPower(t *testing.T, cuts int, after func() int, how string) (acknowledged int, all remains) {
	image := filepath.Join(t.TempDir(), "disk")
	needFileSystem(t, image)
	mounted := mount(t, image)
	w := startWriter(t, filepath.Join(mounted, "ledger"), how)
	for range cuts {
		w.waitFor(t, after())
		said := w.pause(t)
		left := filepath.Join(t.TempDir(), "disk")
		copyAtOnce(t, image, left)
		acknowledged = len(said)
		r := missing(t, left, said, how)
		all.lost, all.late = append(all.lost, r.lost...), all.late+r.late
		if err := os.Remove(left); err != nil {
			t.Error(err)
		}
		w.resume(t)
	}
	return acknowledged, all
}

// missing mounts what is left of a disk, opens the ledger on it, and gives what is not there.
func missing(t *testing.T, image string, said []string, how string) (left remains) {
	dir := mount(t, image)
	defer unmount(t, dir)
	l, err := ledger.Open(ledger.Options{Dir: filepath.Join(dir, "ledger"), Key: testKey})
	if err != nil {
		if how == syncNone {
			return remains{lost: []string{err.Error()}}
		}
		t.Fatalf("after the cut: %v", err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	if r, err := l.Verify(t.Context()); err != nil || !r.OK {
		if how == syncNone {
			return remains{lost: []string{fmt.Sprint(r.Problem, err)}}
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
	newest := map[string]int{} // of what each client was told
	for i, line := range said {
		newest[strings.Fields(line)[2]] = i
	}
	for i, line := range said {
		part := strings.Fields(line)
		what, id, client := part[0], part[1], part[2]
		switch { // what was only held is booked as an estimate, by this Open
		case what == "settled" && booked[id] == billing.SourceEstimate && newest[client] == i:
			left.late++
		case what == "held" && booked[id] == "" || what == "settled" && booked[id] != billing.SourceSettlement || what == "bought" && !bought[id]:
			left.lost = append(left.lost, line+" is lost")
		}
	}
	return left
}

// writer is a process with a busy ledger.
type writer struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	said []string // what it has acknowledged
	more chan struct{}
}

func startWriter(t *testing.T, dir, how string) *writer {
	w := &writer{cmd: exec.Command(os.Args[0], "-test.run=^TestPowerCutCrash$"), more: make(chan struct{}, 1)}
	w.cmd.Env = append(os.Environ(), cutDir+"="+dir, cutHow+"="+how)
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
	how := os.Getenv(cutHow)
	switch how {
	case syncNone:
		o = ledger.Unsynced(o)
	case syncLate:
		o = ledger.Lagging(o)
	}
	l := open(t, o)
	var wg sync.WaitGroup
	for client := range cutClients {
		wg.Go(func() {
			for {
				token := ledger.NewID()
				buy(t, l, token, "acme", money.USD)
				fmt.Println("bought", token, client)
				for range cutRounds {
					h := realHold(0, token)
					if err := l.PlaceHold(h).Wait(context.Background()); err != nil {
						t.Error(err)
						return
					}
					fmt.Println("held", h.RequestID, client)
					if _, err := l.Settle(realInference(h)).Wait(context.Background()); err != nil {
						t.Error(err)
						return
					}
					fmt.Println("settled", h.RequestID, client)
				}
				if how == syncLate {
					return
				}
			}
		})
	}
	wg.Wait()
	select {} // until the cut
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

package ledger_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// archiveSteps are where moving two months of 300 entries into files is ended: before each file has its name, before its record is there, before
// an entry has left the store, when some have, and when all have.
var archiveSteps = []string{"written", "file", "record", "removed 128", "removed 302", "done", "2 written", "2 file", "2 record", "2 removed 430", "2 done"}

// TestArchivingIsKilled kills a process with SIGKILL at each step of moving entries into files. What the next one reads is what was
// there, it goes on by itself, and a second try moves the rest.
func TestArchivingIsKilled(t *testing.T) {
	const variable = "LEDGER_TO_BE_KILLED_ARCHIVING_IN"
	if order := os.Getenv(variable); order != "" {
		dir, step, _ := strings.Cut(order, "|")
		archiveUntil(t, dir, step)
		return
	}
	if testing.Short() {
		t.Skip("kills a process at each of eleven steps")
	}
	made := filepath.Join(t.TempDir(), "ledger")
	l := months(t, ledger.Options{Dir: made}, 300)
	before := show(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, step := range archiveSteps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "ledger")
			if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
				t.Fatal(err)
			}
			killArchiving(t, variable, dir, step)
			l := open(t, ledger.Options{Dir: dir, Now: at("2026-05-20T12:00:00Z")})
			before.compare(t, show(t, l)) // while it goes on, or before
			mustArchive2(t, l)
			all, err := l.Archives(t.Context())
			if err != nil || len(all) != 2 || all[0].Removed != all[0].Last || all[1].Removed != all[1].Last || all[0].Problem+all[1].Problem != "" {
				t.Errorf("%+v, %v", all, err)
			}
			before.compare(t, show(t, l))
			files, err := os.ReadDir(dir + ".archive")
			if err != nil || len(files) != 2 {
				t.Errorf("beside it are %v, %v", files, err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if n := storedEntries(t, dir, "\x01/", all[1].Last+1); n != 600 {
				t.Errorf("%d entries are in the store, want 600", n)
			}
			if n := stored(t, dir, "k/"); n != 600 {
				t.Errorf("of %d entries something is left, want 600", n)
			}
		})
	}
}

// mustArchive2 archives January and February, once nobody else does.
func mustArchive2(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	for {
		_, err := l.Archive(t.Context(), moment("2026-03-01T00:00:00Z"), "", nil)
		if err == nil {
			return
		}
		if err != ledger.ErrArchiving {
			t.Fatal(err)
		}
		select {
		case <-t.Context().Done():
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func killArchiving(t *testing.T, variable, dir, step string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestArchivingIsKilled$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s", variable, dir, step))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	there := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "at "+step {
			there = true
			_ = cmd.Process.Kill() // what it still says is read to its end
		}
	}
	if cmd.Wait() == nil || !there {
		t.Fatalf("it ended by itself before %q", step)
	}
}

// archiveUntil archives, says what step it has come to, and stays there.
func archiveUntil(t *testing.T, dir, last string) {
	written := 0
	o := ledger.Stepping(ledger.Options{Dir: dir, Now: at("2026-05-20T12:00:00Z")}, func(step string) error {
		if step == "written" {
			written++
		}
		if written == 2 {
			step = "2 " + step
		}
		if step == last {
			fmt.Println("at " + step)
			select {}
		}
		return nil
	})
	l := open(t, o)
	if _, err := l.Archive(t.Context(), moment("2026-03-01T00:00:00Z"), "", nil); err != nil {
		t.Error(err)
	}
}

// What has left the store while the journal still had it, each entry by itself, is there again after a kill. The next process removes it.
func TestArchivedEntriesComeFromTheJournal(t *testing.T) {
	made := filepath.Join(t.TempDir(), "ledger")
	l := months(t, ledger.Options{Dir: made}, 300)
	mustArchive(t, l, "2026-03-01")
	before := show(t, l) // and all of it is in the tables
	killed := filepath.Join(t.TempDir(), "ledger")
	if err := errors.Join(os.CopyFS(killed, os.DirFS(made)), os.CopyFS(killed+".archive", os.DirFS(made+".archive"))); err != nil {
		t.Fatal(err)
	}
	l = open(t, ledger.Options{Dir: killed, Now: at("2026-05-20T12:00:00Z")})
	mustArchive2(t, l) // waits for what goes on from before
	before.compare(t, show(t, l))
	all, err := l.Archives(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	if s := l.Archiving(); s.Failures != 0 || s.Running {
		t.Errorf("%+v", s)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := storedEntries(t, killed, "\x01/", all[1].Last+1); n != 600 {
		t.Errorf("%d entries are in the store, want 600", n)
	}
}

// A file that was damaged before the first entry had left the store is given up: nothing is lost.
func TestArchiveIsDamagedBeforeEntriesHaveLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l := months(t, ledger.Options{Dir: dir}, 50)
	before := show(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	halt := fmt.Errorf("halt")
	o := ledger.Stepping(ledger.Options{Dir: dir, Now: at("2026-05-20T12:00:00Z")}, func(step string) error {
		if step == "record" {
			return halt
		}
		return nil
	})
	l = open(t, o)
	if _, err := l.Archive(t.Context(), moment("2026-02-01T00:00:00Z"), "", nil); err != halt {
		t.Fatal(err)
	}
	if s := l.Archiving(); s.Failures != 1 || s.Error != "halt" || s.Files != 1 {
		t.Errorf("%+v", s)
	}
	all, err := l.Archives(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	if err := os.Truncate(all[0].Path, all[0].Bytes/2); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, ledger.Options{Dir: dir, Now: at("2026-05-20T12:00:00Z")})
	mustArchive2(t, l)
	before.compare(t, show(t, l))
}

// Who leaves just before the file's record is written leaves everything as it was. What a process that died has left of a file goes with
// the next try, whatever its directory is called.
func TestArchivingIsLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "books [2026]")
	ctx, leave := context.WithCancel(t.Context())
	o := ledger.Stepping(ledger.Options{Dir: dir}, func(step string) error {
		if step == "file" {
			leave()
		}
		return nil
	})
	l := months(t, o, 10)
	before := show(t, l)
	if _, err := l.Archive(ctx, moment("2026-02-01T00:00:00Z"), "", nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	all, err := l.Archives(t.Context())
	if s := l.Archiving(); err != nil || len(all) != 0 || s.Files != 0 {
		t.Errorf("%v, %v; counted are %d", all, err, s.Files)
	}
	files, err := os.ReadDir(dir + ".archive")
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if err := os.WriteFile(filepath.Join(dir+".archive", "."+files[0].Name()+".123"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustArchive(t, l, "2026-02-01")
	before.compare(t, show(t, l))
	all, err = l.Archives(t.Context())
	if s := l.Archiving(); err != nil || len(all) != 1 || s.Files != 1 {
		t.Errorf("%v, %v; counted are %d", all, err, s.Files)
	}
	if files, err = os.ReadDir(dir + ".archive"); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
}

// A ledger that was closed archives nothing, and does not call that a failure.
func TestArchiveAfterClose(t *testing.T) {
	l := months(t, ledger.Options{Dir: filepath.Join(t.TempDir(), "ledger")}, 5)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Archive(t.Context(), moment("2026-02-01T00:00:00Z"), "", nil); !errors.Is(err, ledger.ErrClosed) {
		t.Error(err)
	}
	if s := l.Archiving(); s.Failures != 0 {
		t.Errorf("%+v", s)
	}
}

// A backup says which files belong to it. Elsewhere it needs them beside it, and works without.
func TestRestoreWithArchives(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l := months(t, ledger.Options{Dir: dir}, 50)
	mustArchive(t, l, "2026-03-01")
	before := show(t, l)
	kept := backup(t, l)
	var named []string
	header, err := ledger.ReadBackupHeader(bytes.NewReader(kept))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range header.Archives {
		named = append(named, a.File)
	}
	files, err := os.ReadDir(dir + ".archive")
	if err != nil || len(files) != 2 || len(named) != 2 || files[0].Name() != named[0] || files[1].Name() != named[1] {
		t.Fatalf("beside it are %v, the backup names %v", files, named)
	}

	with := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.CopyFS(with+".archive", os.DirFS(dir+".archive")); err != nil {
		t.Fatal(err)
	}
	r, err := ledger.Restore(t.Context(), ledger.Options{Dir: with, Key: testKey, Now: at("2026-05-21T12:00:00Z")}, bytes.NewReader(kept))
	if err != nil || !r.OK || len(r.Missing) != 0 || r.Entries != before.report.Entries+1 {
		t.Fatalf("%+v, %v", r, err)
	}
	restored := open(t, ledger.Options{Dir: with, Now: at("2026-05-21T12:00:00Z")})
	if after := show(t, restored); !strings.HasPrefix(after.exports["jsonl"], before.exports["jsonl"]) {
		t.Error("the restored ledger has other entries")
	}

	without := filepath.Join(t.TempDir(), "elsewhere")
	r, err = ledger.Restore(t.Context(), ledger.Options{Dir: without, Key: testKey, Now: at("2026-05-21T12:00:00Z")}, bytes.NewReader(kept))
	if err != nil || !r.OK || fmt.Sprint(r.Missing) != fmt.Sprint(named) {
		t.Fatalf("%+v, %v", r, err)
	}
	restored = open(t, ledger.Options{Dir: without, Now: at("2026-05-21T12:00:00Z")})
	if r, err := restored.Verify(t.Context()); err != nil || r.OK || !strings.Contains(r.Problem, named[0]) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := restored.Settle(inference(hold("", "acme", "t1"), 5)).Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if err := os.CopyFS(without+".archive", os.DirFS(dir+".archive")); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, restored)
}

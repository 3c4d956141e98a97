package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

const stranger = 61184 // a user that nobody is

// made makes a store in a directory of the test's, and closes it.
func made(t *testing.T) (dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to others")
	}
	dir = t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Root looks into the ledger of another user, who can open it after that.
func TestGivenBack(t *testing.T) {
	dir := made(t)
	for _, path := range append([]string{dir}, filesIn(t, dir)...) {
		if err := os.Chown(path, stranger, stranger); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(Options{Dir: dir, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range filesIn(t, dir) {
		if is, err := owner(os.Stat(path)); err != nil || is.Uid != stranger || is.Gid != stranger {
			t.Errorf("%s: %v %v", path, is, err)
		}
	}
}

// Who owns the directory gets no other file of root's by a name that he has given it there.
func TestNothingElseIsGiven(t *testing.T) {
	dir := made(t)
	if err := os.Chown(dir, stranger, stranger); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(os.Link(secret, filepath.Join(dir, "000009.vlog.old")), os.Symlink(secret, filepath.Join(dir, "there")))
	if err != nil {
		t.Fatal(err)
	}
	giveBack(dir)
	if is, err := owner(os.Stat(secret)); err != nil || is.Uid != 0 {
		t.Errorf("it is whose: %v %v", is, err)
	}
	if is, err := owner(os.Stat(filepath.Join(dir, "MANIFEST"))); err != nil || is.Uid != stranger {
		t.Errorf("the ledger's own file is whose: %v %v", is, err)
	}
}

func filesIn(t *testing.T, dir string) (paths []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		paths = append(paths, filepath.Join(dir, f.Name()))
	}
	return paths
}

// What this user may not open is not called damaged: nobody is told to restore a backup, or to begin anew.
func TestOfAnotherUser(t *testing.T) {
	dir := made(t)
	anchor := filepath.Join(dir, "anchor")
	if err := os.WriteFile(anchor, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	files := filesIn(t, dir)
	for _, closed := range files {
		t.Run(filepath.Base(closed), func(t *testing.T) {
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			for _, path := range files {
				if err := os.Chmod(path, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(closed, 0o600); err != nil {
				t.Fatal(err)
			}
			as(t, dir, func() {
				var err error
				if closed == anchor {
					_, _, err = LastPoint("anchor")
				} else {
					_, err = Open(Options{Dir: "."})
				}
				if !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "restore") || !strings.Contains(err.Error(), "run this as the user") {
					t.Errorf("it says %v", err)
				}
			})
		})
	}
}

// as runs f by the rights of a stranger on files, in a directory.
func as(t *testing.T, dir string, f func()) {
	t.Helper()
	t.Chdir(dir) // the ways to it are root's
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never let go: the thread ends with its rights
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, stranger, 0, 0); errno != 0 {
			t.Error(errno)
			return
		}
		f()
	}()
	<-done
}

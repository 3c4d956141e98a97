package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	expect := func(want string) {
		t.Helper()
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("it has %q, %v; want %q", got, err, want)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
			t.Errorf("something else is there: %v, %v", files, err)
		}
	}
	if err := Bytes(path, []byte("one "), []byte("two")); err != nil {
		t.Fatal(err)
	}
	expect("one two")
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	stop := errors.New("stop")
	err := Write(path, func(w io.Writer) error {
		if _, err := io.WriteString(w, "half"); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Errorf("the error is %v", err)
	}
	expect("one two")
	if err := Bytes(path); err != nil {
		t.Fatal(err)
	}
	expect("")
	if err := Bytes(filepath.Join(dir, "nowhere", "file")); err == nil {
		t.Error("a directory is made")
	}
	taken := filepath.Join(t.TempDir(), "taken")
	if err := os.MkdirAll(filepath.Join(taken, "by what is in it"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Bytes(taken, []byte("one")); err == nil {
		t.Error("a file is in the place of a directory")
	}
}

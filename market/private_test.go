package market

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"go.uber.org/zap"
)

func TestLedgerIsPrivate(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	for _, test := range []struct{ was, want os.FileMode }{{0o755, 0o750}, {0o777, 0o770}, {0o700, 0o700}, {0o750, 0o750}} {
		dir := filepath.Join(t.TempDir(), "books")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, test.was); err != nil {
			t.Fatal(err)
		}
		m, err := Open(Options{Dir: dir, Key: key, Log: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dir)
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != test.want {
			t.Errorf("%s has become %v, %v", test.was, info.Mode(), err)
		}
		m.Release()
	}
}

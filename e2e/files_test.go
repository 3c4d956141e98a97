package e2e

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// grep gives the first file below a folder that has the text in it, "" if none has.
func grep(t testing.TB, dir, text string) (found string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.Contains(b, []byte(text)) {
			found = path
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// readUntil reads from a stream until what has come ends with the text, and gives all of it.
func readUntil(t testing.TB, r io.Reader, text string) string {
	t.Helper()
	var got bytes.Buffer
	one := make([]byte, 1)
	for !bytes.HasSuffix(got.Bytes(), []byte(text)) {
		if _, err := io.ReadFull(r, one); err != nil {
			t.Fatalf("the stream ended before %q: %v, after %q", text, err, got.String())
		}
		got.Write(one)
	}
	return got.String()
}

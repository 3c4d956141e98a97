package market

import (
	"os"
	"path/filepath"
	"testing"
)

// tree makes a directory with "Books" in it and a link "link" to that, and gives its own resolved name.
func tree(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "Books"), 0o700); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"link": "Books", "chain": "link", "up": "..", "round": "round", "nowhere": "gone"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip("no links here:", err)
		}
	}
	return dir
}

func TestResolve(t *testing.T) {
	dir := tree(t)
	t.Chdir(dir)
	for _, test := range []struct{ written, want string }{
		{"Books", "Books"},
		{dir + "/Books", "Books"},
		{"./Books/.", "Books"},
		{"Books/../Books", "Books"},
		{"link", "Books"},
		{"chain", "Books"},
		{"link/2026", "Books/2026"},
		{"chain/a/b/c", "Books/a/b/c"},
		{"up/" + filepath.Base(dir) + "/link", "Books"},
		{"new", "new"},
		{"new/deep/er", "new/deep/er"},
		{"books", "books"}, // another one, where case tells names apart
		{"round", "round"}, // opening it says what is wrong
		{"nowhere", "nowhere"},
	} {
		if test.written == "books" && ignoresCase(dir) {
			test.want = "Books"
		}
		got, err := Resolve(test.written)
		if want := filepath.Join(dir, test.want); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", test.written, got, err, want)
		}
	}
	if got, err := Resolve("/"); err != nil || got != filepath.VolumeName(dir)+string(filepath.Separator) {
		t.Errorf("/: %s, %v", got, err)
	}
}

// Where the file system takes names in any case, all of them are one; what is not there yet is too.
func TestResolveCase(t *testing.T) {
	dir := tree(t)
	ignores := func(in string) bool { return len(in) >= len(dir) }
	for _, test := range []struct{ written, want string }{
		{"Books", "Books"},
		{"books", "Books"},
		{"BOOKS/2026", "Books/2026"},
		{"LINK", "Books"},
		{"New/Deep", "new/deep"},
		{"NEW/deep", "new/deep"},
	} {
		got, err := resolve(filepath.Join(dir, test.written), ignores)
		if want := filepath.Join(dir, test.want); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", test.written, got, err, want)
		}
	}
}

// Whether a directory takes names in any case is what it does with one.
func TestIgnoresCase(t *testing.T) {
	for _, files := range [][]string{nil, {"a"}, {"0"}, {"README"}} {
		dir := t.TempDir()
		for _, name := range files {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		probe := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(probe, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(filepath.Join(filepath.Dir(probe), "X"))
		if got, want := ignoresCase(dir), err == nil; got != want {
			t.Errorf("with %v: %v, want %v", files, got, want)
		}
	}
}

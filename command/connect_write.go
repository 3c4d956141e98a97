package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
)

// What lies beside a client's file that was written: what it was before, where there was one, and what was written, by which
// it is seen whether anyone has changed it since.
const (
	beforeSuffix  = ".before-tokenbuddy"
	writtenSuffix = ".by-tokenbuddy"
)

// homeFile is a client's file in the home directory, and what lies beside it.
type homeFile struct {
	path    string
	mode    fs.FileMode
	now     []byte // what it is; nil: it is not there
	written []byte // what was written to it last; nil: nothing was
	before  []byte // what it was before; nil: it was not there
}

// open reads the client's file and what lies beside it.
func (c *client) open(home string) (f *homeFile, err error) {
	f = new(homeFile)
	if f.path, err = c.path(home); err != nil {
		return nil, err
	}
	if f.now, f.mode, err = readOr(f.path); err != nil {
		return nil, err
	}
	if f.written, _, err = readOr(f.path + writtenSuffix); err != nil || f.written == nil {
		return f, err
	}
	f.before, _, err = readOr(f.path + beforeSuffix)
	return f, err
}

// isJSON tells whether what was written to the file can be taken out of it again, beside what others have changed since: some clients
// write there themselves.
func (f *homeFile) isJSON() bool { return strings.HasSuffix(f.path, ".json") }

// withoutOurs is the file as it is now, without what was written to it.
func (f *homeFile) withoutOurs() ([]byte, error) {
	left, err := unmergeJSON(f.now, f.written, f.before)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return left, nil
}

// write changes the client's file in the home directory, and says so.
func (c *client) write(w io.Writer, home string) error {
	f, err := c.open(home)
	if err != nil {
		return err
	}
	into, before, undoable := f.now, f.now, true // before: what undo is to bring back; nil: what lies there already
	switch {
	case f.written == nil || f.now == nil:
	case bytes.Equal(f.now, f.written):
		into, before = f.before, nil
	case f.isJSON():
		if into, err = f.withoutOurs(); err != nil {
			return err
		}
		before = into
	default: // what is ours can't be told from what others have changed, and undo has to see that there is such
		before, undoable = nil, false
	}
	text, err := c.merge(into)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	if err := f.write(text, before, undoable); err != nil {
		return err
	}
	fmt.Fprintf(w, "Written: %s\n", f.path)
	if _, err := os.Stat(f.path + beforeSuffix); err == nil {
		fmt.Fprintf(w, "What it was before: %s\n", f.path+beforeSuffix)
	}
	fmt.Fprintf(w, "%s needs the member's key in the environment, as %s. To have it as it was: caddy tokenbuddy connect %s --undo\n", c.Title, keyVariable, c.Name)
	return nil
}

// write writes the file, after what undo needs.
func (f *homeFile) write(text, before []byte, undoable bool) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	if before != nil {
		if err := writeFile(f.path+beforeSuffix, before, f.mode); err != nil {
			return err
		}
	}
	if undoable {
		if err := writeFile(f.path+writtenSuffix, text, f.mode); err != nil {
			return err
		}
	}
	return writeFile(f.path, text, f.mode)
}

// undo has the client's file as it was before the first write.
func (c *client) undo(w io.Writer, home string) error {
	f, err := c.open(home)
	if err != nil {
		return err
	}
	before := f.before
	switch {
	case f.written == nil:
		return fmt.Errorf("nothing was written to %s", f.path)
	case f.now == nil || bytes.Equal(f.now, f.written):
	case f.isJSON():
		if before, err = f.withoutOurs(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s has been changed since it was written: change it by hand; what was written is in %s, and what it was before, if it was there, in %s",
			f.path, f.path+writtenSuffix, f.path+beforeSuffix)
	}
	if before == nil {
		err = ignoreMissing(os.Remove(f.path))
		fmt.Fprintf(w, "Removed: %s\n", f.path)
	} else {
		err = writeFile(f.path, before, f.mode)
		fmt.Fprintf(w, "As it was: %s\n", f.path)
	}
	return errors.Join(err, ignoreMissing(os.Remove(f.path+beforeSuffix)), ignoreMissing(os.Remove(f.path+writtenSuffix)))
}

// path is where the client's file is. A link is followed, so that it stays one.
func (c *client) path(home string) (string, error) {
	if c.home == "" {
		return "", fmt.Errorf("%s has no file that could be written: it takes what connect prints from the environment or from your program", c.Title)
	}
	path := filepath.Join(home, filepath.FromSlash(c.home))
	if at, err := filepath.EvalSymlinks(path); err == nil {
		return at, nil
	}
	return path, nil
}

// readOr reads a file; one that is not there is nil, and would be its owner's alone.
func readOr(path string) (text []byte, mode fs.FileMode, err error) {
	text, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0o600, nil
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if text == nil {
		text = []byte{}
	}
	return text, info.Mode().Perm(), nil
}

func writeFile(path string, text []byte, mode fs.FileMode) error {
	if err := atomicfile.Bytes(path, text); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

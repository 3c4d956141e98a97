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

// write changes the client's file in the home directory, and says so.
func (c *client) write(w io.Writer, home string) error {
	path, err := c.path(home)
	if err != nil {
		return err
	}
	now, mode, err := readOr(path)
	if err != nil {
		return err
	}
	before := now
	written, _, err := readOr(path + writtenSuffix)
	if err != nil {
		return err
	}
	kept := now // what undo brings back; nil: what is kept already
	changed := false
	if written != nil && now != nil {
		if before, _, err = readOr(path + beforeSuffix); err != nil {
			return err
		}
		kept = nil
		if changed = !bytes.Equal(written, now); changed {
			if before, kept, err = sinceWritten(path, now, written, before); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	text, err := c.merge(before)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if kept != nil {
		if err := writeFile(path+beforeSuffix, kept, mode); err != nil {
			return err
		}
	}
	if !changed || kept != nil { // else undo has to see that it was changed
		if err := writeFile(path+writtenSuffix, text, mode); err != nil {
			return err
		}
	}
	if err := writeFile(path, text, mode); err != nil {
		return err
	}
	fmt.Fprintf(w, "Written: %s\n", path)
	if _, err := os.Stat(path + beforeSuffix); err == nil {
		fmt.Fprintf(w, "What it was before: %s\n", path+beforeSuffix)
	}
	fmt.Fprintf(w, "%s needs the member's key in the environment, as %s. To have it as it was: caddy tokenbuddy connect %s --undo\n", c.Title, keyVariable, c.Name)
	return nil
}

// sinceWritten is for a file that somebody has changed since it was written: into what it is written again, and what undo is to bring
// back, with those changes; nil where what is ours can't be told from them.
func sinceWritten(path string, now, written, before []byte) (into, kept []byte, err error) {
	if !strings.HasSuffix(path, ".json") {
		return now, nil, nil
	}
	kept, err = unmergeJSON(now, written, before)
	return kept, kept, err
}

// undo has the client's file as it was before the first write.
func (c *client) undo(w io.Writer, home string) error {
	path, err := c.path(home)
	if err != nil {
		return err
	}
	written, _, err := readOr(path + writtenSuffix)
	if err != nil {
		return err
	}
	if written == nil {
		return fmt.Errorf("nothing was written to %s", path)
	}
	now, mode, err := readOr(path)
	if err != nil {
		return err
	}
	before, _, err := readOr(path + beforeSuffix)
	if err != nil {
		return err
	}
	switch {
	case now == nil || bytes.Equal(now, written):
	case strings.HasSuffix(path, ".json"): // some clients write there themselves
		if before, err = unmergeJSON(now, written, before); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	default:
		return fmt.Errorf("%s has been changed since it was written: change it by hand; what was written is in %s, and what it was before, if it was there, in %s",
			path, path+writtenSuffix, path+beforeSuffix)
	}
	if before == nil {
		err = ignoreMissing(os.Remove(path))
		fmt.Fprintf(w, "Removed: %s\n", path)
	} else {
		err = writeFile(path, before, mode)
		fmt.Fprintf(w, "As it was: %s\n", path)
	}
	return errors.Join(err, ignoreMissing(os.Remove(path+beforeSuffix)), ignoreMissing(os.Remove(path+writtenSuffix)))
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

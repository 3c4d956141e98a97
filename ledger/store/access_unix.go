//go:build unix && !aix && !solaris && !illumos

package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// giveBack gives what root has made in a directory to whom that belongs: a gateway opens its ledger after root has looked into it.
func giveBack(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	of, err := owner(os.Stat(dir))
	if err != nil || of.Uid == 0 {
		return err
	}
	files, err := os.ReadDir(dir)
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		is, wrong := owner(os.Lstat(path))
		if wrong == nil && is.Uid == 0 {
			wrong = os.Lchown(path, int(of.Uid), int(of.Gid))
		}
		if !errors.Is(wrong, fs.ErrNotExist) { // a gateway that has it by now removes what it likes
			err = errors.Join(err, wrong)
		}
	}
	return err
}

// owner is whose a file is.
func owner(info fs.FileInfo, err error) (*syscall.Stat_t, error) {
	if err != nil {
		return nil, err
	}
	is, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return is, nil
}

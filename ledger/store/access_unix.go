//go:build unix && !aix && !solaris && !illumos

package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// giveBack gives what root has made in a directory to whom that belongs, as far as it may, which in a container it may not: a gateway opens its
// ledger after root has looked into it.
func giveBack(dir string) {
	of, err := owner(os.Stat(dir))
	if os.Geteuid() != 0 || err != nil || of.Uid == 0 {
		return
	}
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		if is, err := owner(os.Lstat(path)); err == nil && is.Uid == 0 {
			_ = os.Lchown(path, int(of.Uid), int(of.Gid))
		}
	}
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

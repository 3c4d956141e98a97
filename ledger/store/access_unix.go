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
		if f.Type().IsRegular() {
			_ = give(filepath.Join(dir, f.Name()), of)
		}
	}
}

// give gives a file of root's away, unless it has another name: who owns a directory can give any file of root's one in it.
func give(path string, to *syscall.Stat_t) error {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	is, err := owner(file.Stat())
	if err == nil && is.Uid == 0 && is.Nlink == 1 {
		err = file.Chown(int(to.Uid), int(to.Gid))
	}
	return errors.Join(err, file.Close())
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

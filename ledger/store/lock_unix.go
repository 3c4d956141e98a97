//go:build unix && !aix && !solaris && !illumos

package store

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the lock on the directory that Badger takes while it is open.
func lock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = d.Close()
		return nil, errors.Join(errLocked, err)
	}
	return func() { _ = d.Close() }, nil
}

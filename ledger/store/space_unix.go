//go:build linux || darwin || freebsd

package store

import "golang.org/x/sys/unix"

// diskSpace gives what this user may still write on the disk of dir, and the size of that disk, in bytes.
func diskSpace(dir string) (free, size uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	block := uint64(s.Bsize)
	return uint64(max(0, int64(s.Bavail))) * block, s.Blocks * block, nil
}

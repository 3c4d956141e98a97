package store

import "golang.org/x/sys/windows"

// diskSpace gives what this user may still write on the disk of dir, and the size of that disk, in bytes.
func diskSpace(dir string) (free, size uint64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	err = windows.GetDiskFreeSpaceEx(path, &free, &size, nil)
	return free, size, err
}

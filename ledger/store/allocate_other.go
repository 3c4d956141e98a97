//go:build !linux

package store

import "os"

func allocate(*os.File, int64) error { return nil }

func syncData(f *os.File) error { return f.Sync() }

// allocates tells whether files can be given blocks here: the 256 MiB that are kept free have to do.
const allocates = false

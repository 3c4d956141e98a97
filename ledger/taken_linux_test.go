package ledger_test

import (
	"io/fs"
	"syscall"
)

// taken is how many bytes a file takes on the disk.
func taken(info fs.FileInfo) int64 { return info.Sys().(*syscall.Stat_t).Blocks * 512 }

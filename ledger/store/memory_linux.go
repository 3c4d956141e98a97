package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// mapped gives how many bytes of files this process has in memory; 0 where that is not known.
func mapped() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("RssFile:")); ok {
			kB, _ := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))))
			return kB << 10
		}
	}
	return 0
}

// givePagesBack gives the pages of the directory's tables back to the system; who reads there has them read from the disk again.
// Badger may unmap a table at the same time, and another mapping take its place: the advice harms none, as nothing is lost by it.
func givePagesBack(dir string) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	dir, err = filepath.EvalSymlinks(dir)
	if err != nil {
		return
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return
	}
	for line := range bytes.Lines(maps) {
		span, rest, _ := bytes.Cut(line, []byte(" "))
		at := bytes.IndexByte(rest, '/')
		if at < 0 || !bytes.HasSuffix(line, []byte(".sst\n")) || filepath.Dir(string(rest[at:])) != dir {
			continue
		}
		first, last, _ := bytes.Cut(span, []byte("-"))
		from, err1 := strconv.ParseUint(string(first), 16, 64)
		to, err2 := strconv.ParseUint(string(last), 16, 64)
		if err1 != nil || err2 != nil {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, uintptr(from), uintptr(to-from), unix.MADV_PAGEOUT); errno == unix.EINVAL {
			return // a kernel before 5.4
		}
	}
}

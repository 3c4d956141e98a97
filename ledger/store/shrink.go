package store

import (
	"fmt"
	"os"
)

// shrinkRoom is left free beside what shrinking may write: a table that finds no room ends the process.
const shrinkRoom = 1 << 30

// Shrink gives the disk back what was deleted: the store does so by itself only when it comes upon it while it merges tables. All tables
// are written anew, by one worker, and others may read and write meanwhile. Where there is not room enough for that, it does nothing.
func (s *Store) Shrink() error {
	if s.space == nil { // in memory
		return nil
	}
	var tables uint64
	files, err := filesWith(s.dir, ".sst")
	if err != nil {
		return err
	}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			tables += uint64(info.Size())
		}
	}
	if free, _, err := s.space(s.dir); err != nil || free < tables+shrinkRoom {
		return nil //nolint:nilerr // where the system does not say, it happens by and by
	}
	if err := s.Flatten(1); err != nil {
		return fmt.Errorf("ledger: giving back the room of what has left %s: %w", s.dir, err)
	}
	return nil
}

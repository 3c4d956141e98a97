package store

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// ErrNoRoom is in what Ready says while the ledger's disk is nearly full.
var ErrNoRoom = errors.New("the disk is nearly full")

const (
	// minRoom is kept free for what is under way: a full disk is no error to a store that is mapped into memory, it is the end
	// of the process. The files that Badger makes ahead and the booking of every request in flight fit into it many times.
	minRoom = 256 << 20
	// roomWarning is the part of the disk, in percent, that a warning is given at.
	roomWarning = 5
	roomEvery   = time.Second
)

// Room watches how much of the ledger's disk is free.
type Room struct {
	dir   string
	space Space
	log   *zap.Logger
	free  atomic.Uint64 // bytes, as far as is known
	size  atomic.Uint64 // of the disk
	full  atomic.Bool
	low   bool          // it was warned of
	blind bool          // it was said that nothing can be seen
	stop  chan struct{} // nil: nobody watches
	ended chan struct{}
}

// Space gives what this user may still write on the disk of a directory, and the size of that disk, in bytes.
type Space func(dir string) (free, size uint64, err error)

// LookRoom looks once. Space may be nil: the system is asked.
func LookRoom(dir string, space Space, log *zap.Logger) *Room {
	if space == nil {
		space = diskSpace
	}
	r := &Room{dir: dir, space: space, log: log}
	r.look()
	return r
}

// WatchRoom looks now, and every second until Close.
func WatchRoom(dir string, space Space, log *zap.Logger) *Room {
	r := LookRoom(dir, space, log)
	r.stop, r.ended = make(chan struct{}), make(chan struct{})
	go r.follow()
	return r
}

func (r *Room) follow() {
	defer close(r.ended)
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.look()
		case <-r.stop:
			return
		}
	}
}

// Close ends the watch. It may be called on no room.
func (r *Room) Close() {
	if r != nil && r.stop != nil {
		close(r.stop)
		<-r.ended
	}
}

// look asks the system once. What can't be seen is taken for room: a system that does not say must not keep the gateway shut.
func (r *Room) look() {
	free, size, err := r.space(r.dir)
	if err != nil {
		if !r.blind {
			r.blind = true
			r.log.Warn("ledger.disk.unknown", zap.String("dir", r.dir), zap.Error(err))
		}
		r.full.Store(false)
		return
	}
	r.blind = false
	r.free.Store(free)
	r.size.Store(size)
	fields := []zap.Field{zap.String("dir", r.dir), zap.Uint64("freeBytes", free), zap.Uint64("sizeBytes", size)}
	switch full := free < minRoom; {
	case full && !r.full.Swap(true):
		r.log.Error("ledger.disk.full", append(fields, zap.String("hint", "nothing is bought or sent until there are 256 MiB free"))...)
	case !full && r.full.Swap(false):
		r.log.Info("ledger.disk.recovered", fields...)
	}
	switch low := free < size/100*roomWarning; {
	case low && !r.low:
		r.log.Warn("ledger.disk.low", fields...)
		r.low = true
	case free > size/100*(roomWarning+1): // a little more, so that a disk at the edge does not fill the log
		r.low = false
	}
}

// Err says when there is too little. It may be called on no room: there is enough then.
func (r *Room) Err() error {
	if r == nil || !r.full.Load() {
		return nil
	}
	return fmt.Errorf("ledger: %w: %d MiB are left for %s and 256 are needed; make room, and it goes on by itself",
		ErrNoRoom, r.free.Load()>>20, r.dir)
}

// Free gives the bytes that are free on the ledger's disk, and how many it has; false when that is not known. It may be called on
// no room.
func (r *Room) Free() (free, size uint64, known bool) {
	if r == nil {
		return 0, 0, false
	}
	free, size = r.free.Load(), r.size.Load()
	return free, size, size > 0
}

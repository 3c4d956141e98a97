package ledger

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

// room watches how much of the ledger's disk is free.
type room struct {
	dir   string
	space func(dir string) (free, size uint64, err error)
	log   *zap.Logger
	free  atomic.Uint64 // bytes, as far as is known
	size  atomic.Uint64 // of the disk
	full  atomic.Bool
	low   bool          // it was warned of
	blind bool          // it was said that nothing can be seen
	stop  chan struct{} // nil: nobody watches
	ended chan struct{}
}

// lookRoom looks once.
func lookRoom(o Options) *room {
	r := &room{dir: o.Dir, space: o.space, log: o.Logger}
	if r.space == nil {
		r.space = diskSpace
	}
	r.look()
	return r
}

// watchRoom looks now, and every second until close.
func watchRoom(o Options) *room {
	r := lookRoom(o)
	r.stop, r.ended = make(chan struct{}), make(chan struct{})
	go r.follow()
	return r
}

func (r *room) follow() {
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

// close may be called on no room.
func (r *room) close() {
	if r != nil && r.stop != nil {
		close(r.stop)
		<-r.ended
	}
}

// look asks the system once. What can't be seen is taken for room: a system that does not say must not keep the gateway shut.
func (r *room) look() {
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

// err may be called on no room: there is enough then.
func (r *room) err() error {
	if r == nil || !r.full.Load() {
		return nil
	}
	return fmt.Errorf("ledger: %w: %d MiB are left for %s and 256 are needed; make room, and it goes on by itself",
		ErrNoRoom, r.free.Load()>>20, r.dir)
}

// Ready is nil while requests may be sent to sellers and tokens bought. Otherwise it says why not: the ledger has stopped
// (as Err says) or its disk is nearly full (ErrNoRoom). What is under way is booked even so.
func (l *Ledger) Ready() error {
	if err := l.Err(); err != nil {
		return err
	}
	return l.room.err()
}

// Room gives the bytes that are free on the ledger's disk, and how many it has; false when that is not known.
func (l *Ledger) Room() (free, size uint64, known bool) {
	if l.room == nil {
		return 0, 0, false
	}
	free, size = l.room.free.Load(), l.room.size.Load()
	return free, size, size > 0
}

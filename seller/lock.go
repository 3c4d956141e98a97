package seller

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"
	"go.uber.org/zap"
)

// tryLock takes a lock, if nobody has it.
var tryLock = (*flock.Flock).TryLock

// claim takes the files of the books for this process, at the first request: a config is also loaded to be looked at, beside a process
// that serves. What others have written since is read then. Two who write would each forget what the other one has sold and billed.
func (b *Books) claim() error {
	if b.file == "" || b.claimed.Load() {
		return nil
	}
	j := &b.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	if b.claimed.Load() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(b.file), 0o700); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	lock := flock.New(b.file+".lock", flock.SetPermissions(0o600))
	switch ok, err := tryLock(lock); {
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.ENOLCK): // a file system that has none, such as NFS whose server gives none out
		b.logger.Warn("seller.state.unlocked", zap.String("seller", b.seller), zap.Error(err))
	case err != nil:
		return fmt.Errorf("state: %w", err)
	case !ok:
		return fmt.Errorf("state %s is used by another process: stop that, or give each seller a file of its own", b.file)
	}
	now, err := openBooks(b.seller, b.file, b.logger)
	if err != nil {
		return errors.Join(err, lock.Close())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.orders, b.answers, b.tokens = now.orders, now.answers, now.tokens
	b.repeats, b.responses, b.charges, b.oldest = now.repeats, now.responses, now.charges, now.oldest
	j.generation = now.journal.generation
	b.lock = lock
	b.claimed.Store(true)
	return nil
}

// giveUp lets others have the files. b.journal.mu is held.
func (b *Books) giveUp() error {
	if b.lock == nil {
		return nil
	}
	b.claimed.Store(false)
	err := b.lock.Close()
	b.lock = nil
	return err
}

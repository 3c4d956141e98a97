package market

import (
	"os"
	"runtime"

	"go.uber.org/zap"
)

// keepPrivate takes a ledger's directory from everybody on the machine: who asked for what, and at what price, is nobody else's
// affair. A group is left alone, as backups may be its task, and told of.
func keepPrivate(dir string, log *zap.Logger) {
	info, err := os.Stat(dir)
	if err != nil || runtime.GOOS == "windows" { // where the bits say nothing
		return
	}
	mode := info.Mode().Perm()
	if mode&0o007 != 0 {
		tight := mode &^ 0o007
		if err := os.Chmod(dir, tight); err != nil {
			log.Warn("ledger.dir.open", zap.String("dir", dir), zap.Stringer("mode", mode), zap.Error(err),
				zap.String("hint", "everybody on this machine can look into the ledger: make the directory its owner's alone (chmod 700)"))
			return
		}
		log.Warn("ledger.dir.tightened", zap.String("dir", dir), zap.Stringer("was", mode), zap.Stringer("is", tight))
		mode = tight
	}
	if mode&0o070 != 0 {
		log.Info("ledger.dir.group", zap.String("dir", dir), zap.Stringer("mode", mode),
			zap.String("hint", "a group can look into the ledger"))
	}
}

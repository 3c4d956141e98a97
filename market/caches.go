package market

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"go.uber.org/zap"
)

const (
	// keepCache is how long the last good document of a registry, or list of a provider, is kept that no config names any more.
	keepCache = 90 * 24 * time.Hour
	// tidyEvery is how often they are looked through.
	tidyEvery = 24 * time.Hour
)

// cacheName is the name of their files: each address, and each key of an account, has another.
var cacheName = regexp.MustCompile(`^(models|registry)-[0-9a-f]{16}\.json$`)

// tidyCaches takes away what was kept of registries and lists that have not been used for long. When a file was used last is its time: that of
// those in use is set anew.
func (m *Market) tidyCaches(now time.Time) {
	m.mu.Lock()
	used := make(map[string]bool, len(m.registries)+len(m.lists))
	for _, r := range m.registries {
		used[filepath.Base(r.file)] = true
	}
	for _, l := range m.lists {
		used[filepath.Base(l.file)] = true
	}
	m.mu.Unlock()
	files, err := os.ReadDir(m.dir)
	if err != nil {
		m.logger.Warn("caches.untidied", zap.Error(err))
		return
	}
	for _, f := range files {
		path := filepath.Join(m.dir, f.Name())
		info, err := f.Info()
		switch {
		case err != nil || !info.Mode().IsRegular() || !cacheName.MatchString(f.Name()):
			continue
		case used[f.Name()]:
			err = os.Chtimes(path, now, now)
		case now.Sub(info.ModTime()) > keepCache:
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.logger.Warn("caches.untidied", zap.Error(err))
		}
	}
}

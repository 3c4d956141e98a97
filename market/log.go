package market

import (
	"slices"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newestLog writes to the log of the newest config at that moment, by its level and filters. What outlives a config can't keep
// that config's logger: after a reload it would go on writing to a file that is no longer the log.
type newestLog struct {
	cores  *running[zapcore.Core]
	fields []zapcore.Field
}

// core is Caddy's default log where no config runs any more.
func (l newestLog) core() zapcore.Core {
	if newest := l.cores.newest(); newest != nil {
		return *newest
	}
	return caddy.Log().Core()
}

func (l newestLog) Enabled(level zapcore.Level) bool { return l.core().Enabled(level) }

func (l newestLog) With(fields []zapcore.Field) zapcore.Core {
	return newestLog{l.cores, slices.Concat(l.fields, fields)}
}

// Check asks the config's log itself: its filters go by the entry. With the fields it is another core than the one that is kept.
func (l newestLog) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	core := l.core()
	if !core.Enabled(e.Level) {
		return checked
	}
	if len(l.fields) > 0 {
		core = core.With(l.fields)
	}
	return core.Check(e, checked)
}

// Write is not called: Check hands entries to the config's log.
func (l newestLog) Write(e zapcore.Entry, fields []zapcore.Field) error {
	return l.core().Write(e, slices.Concat(l.fields, fields))
}

func (l newestLog) Sync() error { return l.core().Sync() }

// HoldLog has all that outlives a config log through this logger until release is called. The newest config's counts. Nil: nothing
// is changed.
func (m *Market) HoldLog(log *zap.Logger) (release func()) {
	if log == nil {
		return func() {}
	}
	return m.log.cores.hold(new(log.Core()))
}

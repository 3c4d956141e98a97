package market

import (
	"slices"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/zapcore"
)

// liveLog writes to whatever Caddy's default log is at that moment. What outlives a config can't keep that config's logger:
// after a reload it would go on writing to a file that is no longer the log, at a level that is no longer asked for.
type liveLog struct{ fields []zapcore.Field }

func (l liveLog) Enabled(level zapcore.Level) bool { return caddy.Log().Core().Enabled(level) }

func (l liveLog) With(fields []zapcore.Field) zapcore.Core {
	return liveLog{slices.Concat(l.fields, fields)}
}

func (l liveLog) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if l.Enabled(e.Level) {
		return checked.AddCore(e, l)
	}
	return checked
}

func (l liveLog) Write(e zapcore.Entry, fields []zapcore.Field) error {
	return caddy.Log().Core().Write(e, slices.Concat(l.fields, fields))
}

func (l liveLog) Sync() error { return caddy.Log().Core().Sync() }

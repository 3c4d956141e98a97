package market

import (
	"runtime/debug"
	"sync"
)

// Module is this program's path, beside Caddy's in a build of both.
const Module = "github.com/tokenbuddy/caddy-tokenbuddy"

// version is the program's own, as it was built: of the module in whatever Caddy, or of the commit. Empty: it was built without.
var version = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return versionOf(info)
})

func versionOf(info *debug.BuildInfo) string {
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path != Module {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version == "(devel)" {
			return ""
		}
		return m.Version
	}
	return ""
}

package market

import (
	"runtime/debug"
	"sync"
)

// module is this program's, beside Caddy's.
const module = "github.com/tokenbuddy/caddy-tokenbuddy"

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
		if m.Path != module {
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

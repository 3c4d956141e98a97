package market

import (
	"runtime/debug"
	"testing"
)

// The version is this module's, whatever it was built into.
func TestVersionOf(t *testing.T) {
	other := &debug.Module{Path: "github.com/caddyserver/caddy/v2", Version: "v2.10.0"}
	own := &debug.Module{Path: Module, Version: "v1.2.3"}
	for name, c := range map[string]struct {
		info debug.BuildInfo
		want string
	}{
		"its own program":         {debug.BuildInfo{Main: *own, Deps: []*debug.Module{other}}, "v1.2.3"},
		"in a Caddy of xcaddy's":  {debug.BuildInfo{Main: debug.Module{Path: "caddy"}, Deps: []*debug.Module{other, own}}, "v1.2.3"},
		"another one in place":    {debug.BuildInfo{Deps: []*debug.Module{{Path: Module, Version: "v1.2.3", Replace: &debug.Module{Path: "x", Version: "v1.2.4"}}}}, "v1.2.4"},
		"a directory in place":    {debug.BuildInfo{Deps: []*debug.Module{{Path: Module, Version: "v1.2.3", Replace: &debug.Module{Path: "../x"}}}}, ""},
		"a build without version": {debug.BuildInfo{Main: debug.Module{Path: Module, Version: "(devel)"}}, ""},
		"none of ours":            {debug.BuildInfo{Main: *other}, ""},
	} {
		if got := versionOf(&c.info); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

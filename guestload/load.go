// Package guestload reads and loads Caddy modules that others have written: where one panics, or does not come back, its config is refused, and
// nothing else is harmed.
package guestload

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/guestcall"
)

// loadTime is how long the arguments of a guest may be read, and how long it may be loaded. It opens nothing meanwhile, so that it is
// never slow; but a config that waits for it keeps all others from being loaded.
const loadTime = 30 * time.Second

// Misbehaved is the error of a guest that has done something else than to return, in words of ours: it does not say where in a config that was.
type Misbehaved string

func (m Misbehaved) Error() string { return string(m) }

// Load has a guest be read or loaded (which is what it is doing), and calls end where that comes to nothing: at once, or when the guest has
// returned after it was left behind. What it says when it panics is not repeated: it may be a secret.
func Load[T any](guest, doing string, f func() (T, error), end func()) (T, error) {
	ctx, stop := context.WithTimeout(context.Background(), loadTime)
	defer stop()
	out := guestcall.Do(ctx, 0, f, func(late bool) {
		if late {
			go end()
		}
	})
	err := out.Err
	switch out.Fault {
	case "":
		if err == nil {
			return out.Value, nil
		}
	case guestcall.Blocked:
		return out.Value, Misbehaved(fmt.Sprintf("%s %s: it was not %s within %s", guest, out.Fault, doing, loadTime))
	default:
		err = Misbehaved(fmt.Sprintf("%s %s while it was %s%s", guest, out.Fault, doing, place(out.Stack)))
	}
	end()
	var none T
	return none, err
}

// place finds in the stack of a panic the function and the line that it came from, for those who have written it.
func place(stack []byte) string {
	_, after, panicked := strings.Cut(string(stack), "\npanic(")
	if !panicked {
		return ""
	}
	lines := strings.Split(after, "\n")
	for i := 2; i+1 < len(lines); i += 2 { // a function, and then where it is
		function := lines[i][:max(0, strings.LastIndexByte(lines[i], '('))]
		if strings.HasPrefix(function, "runtime.") {
			continue
		}
		file, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " ")
		return fmt.Sprintf(", in %s (%s)", function, path.Base(file))
	}
	return ""
}

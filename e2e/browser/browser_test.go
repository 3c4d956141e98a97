package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// findBrowser gives the path of a Chromium; empty: there is none here.
func findBrowser() string {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	return ""
}

// tab is one of a headless browser, which minds what the page asks for and complains of.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu    sync.Mutex
	asked []string // URLs
	wrong []string // errors of the console
}

func open(t *testing.T) *tab {
	path := findBrowser()
	if path == "" {
		if os.Getenv("TOKENBUDDY_NEED_BROWSER") != "" {
			t.Fatal("there is no Chromium here, and one is wanted")
		}
		t.Skip("*** THE PAGE WAS NOT TESTED: there is no Chromium here")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1300, 900), chromedp.NoSandbox)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {})) // of events that are newer than the driver
	t.Cleanup(leave)
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			b.asked = append(b.asked, e.Request.URL)
		case *runtime.EventExceptionThrown:
			b.wrong = append(b.wrong, e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
				b.wrong = append(b.wrong, fmt.Sprint(e.Type, e.Args))
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
				b.wrong = append(b.wrong, e.Entry.Text+" "+e.Entry.URL)
			}
		}
	})
	b.do(network.Enable(), log.Enable(), runtime.Enable())
	return b
}

func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// read evaluates an expression in the page.
func read[T any](b *tab, expression string) (v T) {
	b.t.Helper()
	b.do(chromedp.Evaluate(expression, &v))
	return v
}

// inject has a script run in each page before the page's own.
func (b *tab) inject(script string) {
	b.t.Helper()
	b.do(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(script).Do(ctx)
		return err
	}))
}

// onFetch has each page ask the gateway by statements of the test's, which return the answer: ask(...asked) is what the page would have done.
func (b *tab) onFetch(statements string) {
	b.t.Helper()
	b.inject("{ const ask = window.fetch; window.fetch = async (...asked) => {" + statements + "}; }")
}

// until waits for an expression to be true.
func (b *tab) until(expression string) {
	b.t.Helper()
	wait(b.t, expression, func() bool { return read[bool](b, expression) })
}

// press clicks the button of a name in what a selector finds first.
func (b *tab) press(selector, name string) {
	b.t.Helper()
	button := fmt.Sprintf(`[...document.querySelectorAll(%q)].find(e => e.textContent === %q)`, selector+" button", name)
	b.until(button + " !== undefined")
	read[any](b, button+".click()")
}

// write puts a text into a field, as if it had been typed.
func (b *tab) write(selector, text string) {
	b.t.Helper()
	read[bool](b, fmt.Sprintf(`(f => { f.value = %q; return f.dispatchEvent(new Event("input")); })(document.querySelector(%q))`, text, selector))
}

// awaited has what an expression promises be waited for.
func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

func (b *tab) text(selector string) string {
	b.t.Helper()
	return read[string](b, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
}

// hasAsked tells whether the page has asked for an address that ends so.
func (b *tab) hasAsked(end string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.asked, func(asked string) bool { return strings.HasSuffix(asked, end) })
}

// well tells whether the page has asked its own origin alone, and has complained of nothing. It begins to mind anew.
func (b *tab) well(origin string, secrets ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, asked := range b.asked {
		u, err := url.Parse(asked)
		if err != nil || u.Scheme != "data" && u.Scheme+"://"+u.Host != origin {
			b.t.Errorf("the page has asked for %s", asked)
		}
		for _, secret := range secrets {
			if strings.Contains(asked, secret) {
				b.t.Errorf("there is a key in the address %s", asked)
			}
		}
	}
	for _, wrong := range b.wrong {
		b.t.Errorf("the console says: %s", wrong)
	}
	b.asked, b.wrong = nil, nil
}

// shoot keeps screenshots: light, dark, and as on a phone, where nothing may stick out.
func (b *tab) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("TOKENBUDDY_SCREENSHOTS")
	if dir == "" {
		dir = b.t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"light", "light", 1300}, {"dark", "dark", 1300}, {"phone", "light", 390}} {
		var image []byte
		b.do(
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}}),
			emulation.SetDeviceMetricsOverride(look.width, 900, 1, look.width < 500),
			chromedp.Sleep(400*time.Millisecond),
			chromedp.FullScreenshot(&image, 100),
		)
		if err := os.WriteFile(filepath.Join(dir, name+"-"+look.name+".png"), image, 0o644); err != nil {
			b.t.Fatal(err)
		}
		if wide := read[int64](b, "document.scrollingElement.scrollWidth"); wide > look.width {
			b.t.Errorf("%s, %s: it is %d wide, where there is room for %d", name, look.name, wide, look.width)
		}
	}
	b.do(emulation.ClearDeviceMetricsOverride(), emulation.SetEmulatedMedia())
}

package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestKeyboard leaves who uses the keyboard where they are, though the button that was pressed is another one then, and tells who hears the page
// what is open and chosen.
func TestKeyboard(t *testing.T) {
	b := open(t)
	g := start(t)
	g.used()
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	for _, order := range []string{"pause", "resume"} {
		button := fmt.Sprintf(`document.querySelector('[data-key="sellers %s acme"]')`, order)
		b.until(button + " !== null")
		read[any](b, button+".focus()")
		b.keys(kb.Enter)
		b.asks("acme")
		b.keys(kb.Tab)
		b.until(`document.activeElement.textContent === "Do it"`)
		b.keys(kb.Enter)
		b.until(`!document.querySelector("#ask").open`)
		b.until(button + " === null") // the other one is there
		b.until(`document.activeElement.closest("tr")?.innerText.includes("acme") === true`)
	}
	if name := read[string](b, `document.querySelector('[data-key="members raise ada"]').ariaLabel`); name != "members raise ada" {
		t.Errorf("who hears the button hears %q, as of each other member", name)
	}
	opener := `document.querySelector('[data-key="request ada-0"]')`
	for i, key := range []string{" ", kb.Enter} {
		read[any](b, opener+".focus()")
		b.keys(key)
		b.until(fmt.Sprintf(`document.querySelectorAll("#requests .lane").length %s 0 && %s.getAttribute("aria-expanded") === "%t"`, []string{">", "==="}[i], opener, i == 0))
		b.until(`document.activeElement === ` + opener)
	}
	if role := read[string](b, opener+".tagName"); role != "BUTTON" { // a row of a table can't be said to be open
		t.Errorf("it is a %s", role)
	}
	b.press("#month", "model")
	b.until(`[...document.querySelectorAll("#month button")].every(b => b.getAttribute("aria-pressed") === String(b.textContent === "model"))`)
}

// TestRaisedMeanwhile has the question of a raise go by the budget that there is by now, which another lead has raised meanwhile.
func TestRaisedMeanwhile(t *testing.T) {
	b := open(t)
	g := start(t)
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	b.until(`document.querySelector('[data-key="members raise ada"]') !== null`)
	read[any](b, `document.querySelector('[data-key="members raise ada"]').click()`)
	b.write(`#ask [name="usd"]`, "0.25")
	b.asks("from $0.50 to $0.75")
	var is any
	g.post("members/ada/raise", `{"usd":"1"}`, &is)
	b.asks("from $1.50 to $1.75")
	if typed := read[string](b, `document.querySelector('#ask [name="usd"]').value`); typed != "0.25" {
		t.Errorf("what was written is %s", typed)
	}
}

// TestUnderWay has an order that is under way not be left, as if it had not been given, and tells of its end also who has closed it all the same.
func TestUnderWay(t *testing.T) {
	b := open(t)
	g := start(t)
	b.onFetch(`return asked[1]?.method === "POST" ? new Promise((_, fail) => window.lose = fail) : ask(...asked);`)
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	for _, left := range []string{"", "closed", "closed for another"} {
		b.press("#sellers", "pause")
		b.asks("Send no more requests to")
		read[any](b, `[...document.querySelectorAll("#ask button")].find(e => e.textContent === "Do it").focus()`)
		b.keys(kb.Enter)
		b.until(`window.lose !== undefined`)
		read[any](b, `[...document.querySelectorAll("#ask button")].find(e => e.textContent === "Leave it").click()`)
		b.keys(kb.Escape)
		if !read[bool](b, `document.querySelector("#ask").open`) {
			t.Error("it is left")
		}
		if left != "" { // as a browser does it that is told to twice
			read[any](b, `document.querySelector("#ask").close()`)
		}
		if left == "closed for another" {
			read[any](b, `document.querySelector('[data-key="members raise ada"]').click()`)
			if said := b.text("#ask"); !strings.Contains(said, "Send no more requests to") {
				t.Errorf("what is under way is covered by %s", said)
			}
		}
		read[any](b, `window.lose(new TypeError("the line is cut"))`)
		b.asks("There was no answer: look whether it was done before you do it again. the line is cut")
		b.press("#ask", "Leave it")
		b.until(`!document.querySelector("#ask").open`)
		read[any](b, `delete window.lose`)
	}
}

// TestShares has some be told from none, and all from nearly all.
func TestShares(t *testing.T) {
	b := open(t)
	g := start(t)
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	for _, row := range []struct {
		n, of int
		want  string
	}{{0, 500, "0 %"}, {1, 500, "under 1 %"}, {5, 500, "1 %"}, {250, 500, "50 %"}, {499, 500, "over 99 %"}, {500, 500, "100 %"}} {
		if said := read[string](b, fmt.Sprintf("share(%d, %d)", row.n, row.of)); said != row.want {
			t.Errorf("%d of %d are %s", row.n, row.of, said)
		}
	}
}

// TestDots offers no order that can't be given: an address in which one of these names stands is another.
func TestDots(t *testing.T) {
	b := open(t)
	g := start(t, "member .. {\n\t\t\tkey key-of-dots\n\t\t\tdaily_budget 1\n\t\t}")
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	b.until(`document.querySelector('[data-row=".."]') !== null && document.querySelector('[data-row="ada"] button') !== null`)
	if n := read[int](b, `document.querySelectorAll('[data-row=".."] button').length`); n > 0 {
		t.Errorf("%d buttons", n)
	}
}

// TestLongNames leaves buttons where they can be seen, however long a name or an amount is.
func TestLongNames(t *testing.T) {
	b := open(t)
	long := strings.Repeat("W", 64)
	g := start(t, fmt.Sprintf("member %s {\n\t\t\tkey key-of-long\n\t\t\tdaily_budget 5\n\t\t}\n\t\tgroup %s {\n\t\t\tmembers %s\n\t\t\tmonthly_budget 20\n\t\t}\n"+
		"\t\tmember rich {\n\t\t\tkey key-of-rich\n\t\t\tdaily_budget 899999999.999999\n\t\t\tweekly_budget 999999999.999999\n\t\t}", long, strings.ToLower(long), long))
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	button := fmt.Sprintf(`document.querySelector('[data-key="members raise %s"]')`, long)
	b.until(button + " !== null")
	for _, width := range []int64{1300, 390} {
		b.do(emulation.SetDeviceMetricsOverride(width, 900, 1, width < 500))
		if out := read[float64](b, button+`.getBoundingClientRect().right - `+button+`.closest(".frame").getBoundingClientRect().right`); out > 0 {
			t.Errorf("where there is room for %d, the button stands out by %f", width, out)
		}
	}
	b.shoot("long")
}

// TestLedgers has it be chosen which ledger is meant, on a phone too, however deep its directory lies.
func TestLedgers(t *testing.T) {
	b := open(t)
	g := start(t)
	deep := "/" + strings.Repeat("srv", 40) + "/books"
	b.inject(fmt.Sprintf(`
		const ask = window.fetch;
		window.fetch = async (...asked) => String(asked[0]) === "live"
			? new Response(JSON.stringify({ error: "say which ledger with ?ledger=, one of: /a, %s" }), { status: 400 }) : ask(...asked);
	`, deep))
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	b.until(`document.querySelectorAll("main button").length === 2`)
	b.shoot("ledgers")
	b.press("main", deep)
	b.until(fmt.Sprintf(`new URLSearchParams(location.search).get("ledger") === %q`, deep))
}

// contrast is the least one of texts with what is behind them, and whose it is.
const contrast = `(() => {
	const lum = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const rgb = s => s.match(/[\d.]+/g).map(Number);
	const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c.slice(0, 3); } };
	let least = { Ratio: 21, Text: "" };
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
		if (!text || !e.getClientRects().length) continue;
		const [a, b] = [lum(rgb(getComputedStyle(e).color)), lum(behind(e))].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		if (ratio < least.Ratio) least = { Ratio: ratio, Text: text };
	}
	return least;
})()`

// TestContrast has all words be readable, those that are faint too: of money each digit is one.
func TestContrast(t *testing.T) {
	b := open(t)
	g := start(t)
	g.used()
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	b.until(`document.querySelectorAll("#requests tbody tr").length === 5`)
	for _, scheme := range []string{"light", "dark"} {
		b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
		if least := read[struct {
			Ratio float64
			Text  string
		}](b, contrast); least.Ratio < 4.5 {
			t.Errorf("%s: %q has a contrast of %.2f", scheme, least.Text, least.Ratio)
		}
	}
}

// TestDoubleClick has a double click on a button not give the order too, whose button may come to stand just there.
func TestDoubleClick(t *testing.T) {
	b := open(t)
	g := start(t)
	b.do(chromedp.Navigate("http://"+g.admin+"/tokenbuddy/"), emulation.SetDeviceMetricsOverride(390, 900, 1, false))
	button := `[...document.querySelectorAll("#sellers button")].find(e => e.textContent === "pause")`
	b.until(button + " !== undefined")
	read[any](b, button+".click()")
	b.asks("Send no more requests to")
	at := read[struct{ X, Y float64 }](b, `(r => ({ X: r.x + r.width / 2, Y: r.y + r.height / 2 }))([...document.querySelectorAll("#ask button")].at(-1).getBoundingClientRect())`)
	b.press("#ask", "Leave it")
	// The button that asks is where the one will be that does it.
	read[any](b, fmt.Sprintf(`(() => { const e = %s; e.style.position = "fixed"; e.style.left = "%fpx"; e.style.top = "%fpx"; })()`, button, at.X-20, at.Y-8))
	click := func(nth int64) {
		t.Helper()
		for _, kind := range []input.MouseType{input.MousePressed, input.MouseReleased} {
			b.do(input.DispatchMouseEvent(kind, at.X, at.Y).WithButton(input.Left).WithClickCount(nth))
		}
	}
	click(1)
	b.asks("Send no more requests to")
	click(2)
	b.do(chromedp.Evaluate(`new Promise(go => setTimeout(go, 300))`, nil, awaited))
	if !read[bool](b, `document.querySelector("#ask").open`) {
		t.Error("the order is given, whose words nobody can have read")
	}
	click(1)
	b.until(`!document.querySelector("#ask").open && document.querySelector("#sellers tbody").innerText.includes("paused")`)
}

// TestYears says the year of what is of another one.
func TestYears(t *testing.T) {
	b := open(t)
	g := start(t)
	var is any
	g.post("members/ada/raise", `{"usd":"1","until":"2099-05-05"}`, &is)
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	b.until(`document.querySelector("#members").innerText.includes("daily raised by $1.00 until ")`)
	if said := b.text("#members"); !strings.Contains(said, "2099") {
		t.Errorf("of which year is not said: %s", said)
	}
}

// TestRightToLeft has the words of a command stand in the order in which they are said, whatever the direction of a name.
func TestRightToLeft(t *testing.T) {
	b := open(t)
	const name = "\u05d3\u05e0\u05d9" // Hebrew letters
	g := start(t, "member "+name+" {\n\tkey key-of-dani\n\tdaily_budget 1\n}")
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	button := fmt.Sprintf(`[...document.querySelectorAll("#members button")].find(e => e.closest("tr").innerText.includes(%q))`, name)
	b.until(button + " !== undefined")
	read[any](b, button+".click()")
	b.write(`#ask [name="usd"]`, "0.25")
	b.asks("members raise '" + name + "' 0.25")
	left := `(text => {
		const walk = document.createTreeWalker(document.querySelector("#ask code"), NodeFilter.SHOW_TEXT), range = document.createRange();
		while (walk.nextNode()) {
			const at = walk.currentNode.data.indexOf(text);
			if (at < 0) continue;
			range.setStart(walk.currentNode, at);
			range.setEnd(walk.currentNode, at + text.length);
			return range.getBoundingClientRect().left;
		}
	})`
	if !read[bool](b, left+`("`+name+`") < `+left+`("0.25")`) {
		t.Error("the amount stands before the name")
	}
}

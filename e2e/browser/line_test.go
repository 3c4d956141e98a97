package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestSilence has the page say so when the way to the gateway is broken and nobody has told it, and come back.
func TestSilence(t *testing.T) {
	b := open(t)
	g := start(t)
	b.inject(`
		window.patience = new Map(); // those who wait for long
		const [set, clear, ask] = [window.setTimeout, window.clearTimeout, window.fetch];
		window.setTimeout = (f, ms, ...more) => { const id = set(f, ms, ...more); if (ms >= 20000) window.patience.set(id, f); return id; };
		window.clearTimeout = id => { window.patience.delete(id); clear(id); };
		window.fetch = async (...asked) => {
			if (!String(asked[0]).startsWith("live")) return ask(...asked);
			if (window.mute) await new Promise(go => window.speak = go);
			const answer = await ask(...asked), reader = answer.body.getReader();
			const passed = new ReadableStream({ async pull(to) {
				try {
					const { value, done } = await reader.read();
					if (done) to.close(); else if (window.mute) to.enqueue(new Uint8Array()); else to.enqueue(value);
				} catch (e) { to.error(e); }
			} });
			return new Response(passed, { status: answer.status, headers: answer.headers });
		};
	`)
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	b.until(`document.getElementById("state").innerText === "live" && document.querySelectorAll("#sellers tbody tr").length > 0`)
	if n := read[int](b, `window.patience.size`); n != 1 {
		t.Fatalf("%d wait for a word of the gateway", n)
	}
	read[any](b, `window.mute = true; [...window.patience.values()][0]()`) // the time is over
	b.until(`document.getElementById("state").innerText.startsWith("no word from the gateway, what is shown is of ")`)
	b.until(`window.speak !== undefined`)
	read[any](b, `window.mute = false; window.speak()`)
	b.until(`document.getElementById("state").innerText === "live"`)
}

// TestSearch has what is shown be what stands in the fields, however long an answer takes, and be told anew when there is more.
func TestSearch(t *testing.T) {
	b := open(t)
	g := start(t)
	g.used()
	b.onFetch(`
		const answer = await ask(...asked);
		if (String(asked[0]).includes("member=ada") && !window.late) await new Promise(go => window.late = go);
		return answer;
	`)
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	b.until(`document.querySelectorAll("#requests tbody tr").length === 5`)
	b.write("#requests input.member", "ada")
	b.until(`window.late !== undefined`)
	b.write("#requests input.member", bob)
	b.until(`document.querySelectorAll("#requests tbody tr").length === 2`)
	b.do(chromedp.Evaluate(`window.late(); new Promise(go => setTimeout(go, 200))`, nil, awaited))
	if said := b.text("#requests tbody"); strings.Contains(said, "ada") {
		t.Errorf("of %s it is said: %s", bob, said)
	}
	b.write("#requests input.member", "ada")
	b.until(`document.querySelectorAll("#requests tbody tr").length === 3`)
	if got := g.ask("key-of-ada", "ada-9", "m"); got != 200 {
		t.Fatalf("ada gets %d", got)
	}
	b.until(`document.querySelectorAll("#requests tbody tr").length === 4`)
}

// TestThirtyDaysUnread says that the thirty days can't be read, and does not leave those there of what was chosen before.
func TestThirtyDaysUnread(t *testing.T) {
	b := open(t)
	g := start(t)
	g.used()
	b.onFetch(`
		const by = String(asked[0]).startsWith("ledger/summary") && new URLSearchParams(String(asked[0]).split("?")[1]).get("by");
		if (by === "model") return new Response('{"error":"the ledger has stopped"}', { status: 500 });
		if (by === "seller") throw new TypeError("the line is cut");
		return ask(...asked);
	`)
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	for by, want := range map[string]string{"model": "the ledger has stopped", "seller": "the line is cut"} {
		b.press("#month", "member")
		b.until(`document.querySelectorAll("#month tbody tr").length === 2`)
		b.press("#month", by)
		b.until(fmt.Sprintf(`document.querySelector("#month-body").innerText === %q`, want))
	}
}

// TestGone says of when that is which is still shown, where the gateway is gone, to operators and to members.
func TestGone(t *testing.T) {
	for _, of := range []string{"operator", "member"} {
		t.Run(of, func(t *testing.T) {
			b := open(t)
			g := start(t)
			at := g.admin
			if of == "member" {
				at = g.site
			}
			b.inject(`
				window.later = 0;
				window.Date = class extends Date {
					constructor(...of) { of.length ? super(...of) : super(new.target.now()); }
					static now() { return super.now() + window.later; }
				};
			`)
			b.do(chromedp.Navigate("http://" + at + "/tokenbuddy/"))
			if of == "member" {
				b.do(chromedp.SendKeys("#key", "key-of-ada"))
				b.press("#door", "Show")
			}
			b.until(`document.getElementById("state").innerText === "live" && !document.querySelector("main").classList.contains("old")`)
			g.stop()
			b.until(`document.getElementById("state").innerText.includes(", what is shown is of ") && document.querySelector("main").classList.contains("old")`)
			read[any](b, `window.later = 2 * 864e5`)
			b.until(`/ is of [A-Z][a-z]{2} \d/.test(document.getElementById("state").innerText)`) // of which day
		})
	}
}

// TestSlowSearch has requests that are looked for be shown, though an answer takes longer than it is until the gateway has something new to tell.
func TestSlowSearch(t *testing.T) {
	b := open(t)
	g := start(t)
	g.used()
	b.inject(`window.waiting = [];`)
	b.onFetch(`
		const answer = await ask(...asked);
		if (String(asked[0]).includes("member=ada")) await new Promise(go => window.waiting.push(go));
		return answer;
	`)
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	b.until(`document.querySelectorAll("#requests tbody tr").length === 5`)
	b.write("#requests input.member", bob)
	b.until(`document.querySelectorAll("#requests tbody tr").length === 2`)
	b.write("#requests input.member", "ada")
	b.until(`window.waiting.length === 1`)
	before := b.text("#now")
	if got := g.ask("key-of-bob", "bob-9", model); got != 200 {
		t.Fatalf("bob gets %d", got)
	}
	b.until(fmt.Sprintf(`document.querySelector("#now").innerText !== %q`, before)) // the gateway has told of it
	read[any](b, `window.waiting[0]()`)
	b.until(`document.querySelectorAll("#requests tbody tr").length === 3`)
	b.until(`window.waiting.length === 2`) // and as there is something new, it is asked again
}

// TestLiveOnceTold calls what is shown live once the gateway has told it, not when it has begun to answer.
func TestLiveOnceTold(t *testing.T) {
	b := open(t)
	g := start(t)
	b.onFetch(`
		const answer = await ask(...asked);
		if (!String(asked[0]).startsWith("live")) return answer;
		window.begun = (window.begun || 0) + 1;
		const reader = answer.body.getReader(), slow = new Promise(go => window.go = go);
		return new Response(new ReadableStream({ async pull(to) {
			try { await slow; const { value, done } = await reader.read(); done ? to.close() : to.enqueue(value); } catch (e) { to.error(e); }
		} }), { status: answer.status, headers: answer.headers });
	`)
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	b.until(`window.begun === 1`)
	if said := b.text("#state"); said != "connecting" {
		t.Errorf("it is %s, and nothing is shown", said)
	}
	read[any](b, `window.go()`)
	b.until(`document.getElementById("state").innerText === "live" && document.querySelectorAll("#sellers tbody tr").length > 0`)
	if said, err := g.command("reload", "--force", "--address", g.admin).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, said)
	}
	b.until(`window.begun === 2`)
	b.do(chromedp.Evaluate(`new Promise(go => setTimeout(go, 100))`, nil, awaited))
	if said := b.text("#state"); !strings.Contains(said, ", what is shown is of ") {
		t.Errorf("it is %s, and what is shown is of before", said)
	}
	read[any](b, `window.go()`)
	b.until(`document.getElementById("state").innerText === "live"`)
}

// TestCutSearch has a request that is looked for by its id be there once the way to the gateway is, though it was cut meanwhile.
func TestCutSearch(t *testing.T) {
	b := open(t)
	g := start(t)
	g.used()
	b.onFetch(`
		if (String(asked[0]).includes("id=ada-0") && !window.cut) { window.cut = true; throw new TypeError("the line is cut"); }
		return ask(...asked);
	`)
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	b.until(`document.querySelectorAll("#requests tbody tr").length === 5`)
	b.write("#requests input.id", "ada-0")
	b.until(`document.querySelector("#requests-body").innerText === "the line is cut"`)
	if got := g.ask("key-of-bob", "bob-9", model); got != 200 { // of which the gateway tells
		t.Fatalf("bob gets %d", got)
	}
	b.until(`document.querySelectorAll("#requests tbody tr").length === 1`)
}

package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// used has the team use the gateway: what is asked first fails at one seller and is served by another.
func (g *gateway) used() {
	g.t.Helper()
	for i, want := range []int{200, 200, 200} {
		if got := g.ask("key-of-ada", fmt.Sprintf("ada-%d", i), "m"); got != want {
			g.t.Fatalf("ada gets %d", got)
		}
	}
	if got := g.ask("key-of-bob", "bob-0", model); got != 200 {
		g.t.Fatalf("bob gets %d", got)
	}
	if got := g.ask("key-of-bob", "bob-1", "<script>no</script>"); got != 404 {
		g.t.Fatalf("bob gets %d", got)
	}
	var rows []struct{ Requests int64 }
	wait(g.t, "the books", func() bool {
		g.get("ledger/summary?by=day", &rows)
		return len(rows) == 1 && rows[0].Requests == 4
	})
}

// micros reads what a column of a table says, in all digits, of the row in which a text stands.
func micros(b *tab, section, text string, nth int) int64 {
	b.t.Helper()
	row := fmt.Sprintf(`[...document.querySelectorAll("#%s tbody tr")].find(r => r.cells[0].innerText.includes(%q))`, section, text)
	b.until(row + " !== undefined")
	of := read[struct{ Said, Text string }](b, fmt.Sprintf(`(c => ({Said: c.dataset.micros, Text: c.textContent}))(%s.querySelectorAll("[data-micros]")[%d])`, row, nth))
	var whole, part, said int64
	if _, err := fmt.Sscanf(strings.ReplaceAll(of.Text, ",", ""), "%d.%6d", &whole, &part); err != nil {
		b.t.Fatal(of, err)
	}
	if _, err := fmt.Sscan(of.Said, &said); err != nil || said != whole*1_000_000+part {
		b.t.Fatalf("it says %s of %s", of.Text, of.Said)
	}
	return said
}

// TestThirtyDays has the days be those of UTC, in which sums are kept, whatever zone the budgets go by: what the page asks for, and what the
// command says that stands beside it. Of the members, who have those of their budgets, it says which these are.
func TestThirtyDays(t *testing.T) {
	b := open(t)
	g := start(t, "budgets {\n\tzone Pacific/Auckland\n}")
	g.used()
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	b.until(`document.querySelectorAll("#month .days div").length === 30`)
	first := time.Now().UTC().AddDate(0, 0, -29).Format(time.DateOnly)
	if asked := "/tokenbuddy/ledger/summary?by=day&from=" + first + "&zone=UTC"; !b.hasAsked(asked) {
		t.Errorf("the page has not asked for %s", asked)
	}
	for part, says := range map[string]string{"#members": "days of Pacific/Auckland, weeks from Monday", "#money": "by UTC"} {
		if said := b.text(part); !strings.Contains(said, says) {
			t.Errorf("%s does not say %s: %s", part, says, said)
		}
	}
	words := strings.Fields(b.text("#month .title > code"))
	if len(words) < 3 || words[0] != "caddy" {
		t.Fatal(words)
	}
	said, err := exec.Command(program, append(words[1:], "--json", "--address", g.admin)...).Output()
	if err != nil {
		t.Fatal(words, err)
	}
	var statement struct {
		From time.Time
		Zone string
	}
	if err := json.Unmarshal(said, &statement); err != nil || statement.Zone != "UTC" || statement.From.UTC().Format(time.RFC3339) != first+"T00:00:00Z" {
		t.Errorf("%s: of %s from %s on, %v", words, statement.Zone, statement.From, err)
	}
}

func TestOperator(t *testing.T) {
	b := open(t)
	g := start(t)
	g.used()
	if got := g.ask("key-of-ada", "ada-waits", "toy-small"); got != 503 { // for a purchase that waits for approval
		t.Fatalf("ada gets %d", got)
	}
	origin := "http://" + g.admin
	b.do(chromedp.Navigate(origin + "/tokenbuddy/"))
	b.until(`document.querySelectorAll("#requests tbody tr").length === 6`)

	// The numbers are the ledger's.
	var members []struct {
		Key           string
		ExpenseMicros int64
	}
	g.get("ledger/summary?by=member", &members)
	if len(members) != 2 {
		t.Fatal(members)
	}
	total := int64(0)
	for _, m := range members {
		total += m.ExpenseMicros
		if got := micros(b, "members", m.Key, 0); got != m.ExpenseMicros || got == 0 {
			t.Errorf("%s has spent %d, and the page says %d", m.Key, m.ExpenseMicros, got)
		}
	}
	b.press("#month", "member")
	b.until(`document.querySelectorAll("#month tbody tr").length === 2`)
	for _, m := range members {
		if got := micros(b, "month", m.Key, 0); got != m.ExpenseMicros {
			t.Errorf("%s has spent %d in thirty days, and the page says %d", m.Key, m.ExpenseMicros, got)
		}
	}
	if want := fmt.Sprintf("$%d.%06d", total/1_000_000, total%1_000_000); !strings.Contains(b.text("#money"), strings.TrimRight(want, "0")) {
		t.Errorf("of %s spent today there is: %s", want, b.text("#money"))
	}

	// Names stay text, and no prompt is there.
	all := b.text("main")
	for _, name := range []string{bob, model, "<script>no</script>"} {
		if !strings.Contains(all, name) {
			t.Errorf("%s is not there: %s", name, all)
		}
	}
	if n := read[int](b, `document.querySelectorAll("main b, main img, main script").length`); n != 0 {
		t.Errorf("%d names have become elements", n)
	}
	if strings.Contains(all, "a secret of the prompt") {
		t.Error("there is a prompt on the page")
	}

	// A request by its id, with its attempts.
	b.do(chromedp.SendKeys("#requests input.id", "ada-0"))
	b.until(`document.querySelectorAll("#requests tbody tr").length === 1`)
	read[any](b, `document.querySelector("#requests tbody tr").click()`)
	b.until(`document.querySelectorAll("#requests .lane").length > 1`)
	if said := b.text("#requests .wf"); !strings.Contains(said, "fails") || !strings.Contains(said, "acme") || !strings.Contains(said, "503") {
		t.Errorf("the attempts are %s", said)
	}
	b.well(origin)
	b.shoot("operator")
	b.write("#requests input.id", "")
	b.write("#requests input.member", bob)
	b.until(`document.querySelectorAll("#requests tbody tr").length === 2`)

	// The buttons do what the commands do.
	var purchases []struct{ PurchaseID, State string }
	g.get("purchases", &purchases)
	if len(purchases) != 1 || purchases[0].State != "prepared" {
		t.Fatalf("%+v", purchases)
	}
	b.press("#purchases", "approve")
	if said := b.text("#ask"); !strings.Contains(said, "caddy tokenbuddy purchases approve "+purchases[0].PurchaseID) {
		t.Errorf("the command is not there: %s", said)
	}
	b.press("#ask", "Do it")
	b.until(`document.querySelector("#purchases tbody").innerText.includes("granted")`)
	g.get("purchases", &purchases)
	if purchases[0].State != "granted" {
		t.Errorf("%+v", purchases)
	}
	b.press("#sellers", "pause")
	b.press("#ask", "Do it")
	b.until(`document.querySelector("#sellers tbody tr").innerText.includes("paused")`)
	var sellers []struct {
		SellerID string
		Paused   bool
	}
	g.get("sellers", &sellers)
	if !sellers[0].Paused {
		t.Errorf("%+v", sellers)
	}
	b.well(origin)

	// A reload is not held by who watches, and the page comes back.
	file, err := os.ReadFile(g.dir + "/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	g.write(strings.Replace(string(file), "daily_budget 0.5", "daily_budget 0.75", 1))
	began := time.Now()
	if said, err := g.command("reload", "--address", g.admin).CombinedOutput(); err != nil || time.Since(began) > 9*time.Second { // Caddy itself gives who watches ten
		t.Fatalf("the reload took %s: %v %s", time.Since(began), err, said)
	}
	b.until(`document.querySelector("#members").innerText.includes("of $0.75") && document.getElementById("state").innerText === "live"`)
}

// TestDoor opens the page by the command, which wants nothing of Caddy's config.
func TestDoor(t *testing.T) {
	b := open(t)
	g := start(t)
	door := exec.CommandContext(t.Context(), program, "tokenbuddy", "page", "--address", g.admin)
	out, err := door.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := door.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = door.Process.Signal(os.Interrupt)
		_ = door.Wait()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	address, there := strings.CutPrefix(strings.TrimSpace(line), "Open ")
	if err != nil || !there {
		t.Fatal(line, err)
	}
	origin, _, _ := strings.Cut(address, "/tokenbuddy/")
	b.do(chromedp.Navigate(address))
	b.press("#sellers", "pause")
	b.press("#ask", "Do it")
	b.until(`document.querySelector("#sellers tbody tr").innerText.includes("paused")`)
	if at := read[string](b, `location.href + document.cookie`); at != origin+"/tokenbuddy/" {
		t.Errorf("it is at %s", at)
	}
	b.well(origin)
}

// TestMemberUnderPath has the page be where the site is below a path: what it asks for, and tells to be asked for, is there.
func TestMemberUnderPath(t *testing.T) {
	b := open(t)
	g := start(t)
	to := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: g.site})
	under := httptest.NewServer(http.StripPrefix("/ai", to))
	defer under.Close()
	b.do(chromedp.Navigate(under.URL + "/ai/tokenbuddy/"))
	b.do(chromedp.SendKeys("#key", "key-of-ada"))
	b.press("#door", "Show")
	b.until(`document.querySelector("#budgets").innerText.includes("of $0.50")`)
	for of, path := range map[string]string{"used": "/ai/v1/key", "requests": "/ai/tokenbuddy/own"} {
		if words := b.text("#" + of + " .title code"); !strings.Contains(words, "curl "+under.URL+path+" ") {
			t.Errorf("%s is told by %s", of, words)
		}
	}
	b.well(under.URL, "key-of-ada")
}

func TestMember(t *testing.T) {
	b := open(t)
	g := start(t)
	g.used()
	origin := "http://" + g.site
	b.do(chromedp.Navigate(origin + "/tokenbuddy/"))
	b.until(`document.getElementById("state").innerText === "no key"`)
	b.do(chromedp.SendKeys("#key", "key-of-ada"))
	b.press("#door", "Show")
	b.until(`document.querySelectorAll("#requests tbody tr").length === 3`)
	all := b.text("body")
	for _, other := range []string{"bob", model, "img"} {
		if strings.Contains(all, other) {
			t.Errorf("ada sees %s: %s", other, all)
		}
	}
	var members []struct {
		Key           string
		ExpenseMicros int64
	}
	g.get("ledger/summary?by=member", &members)
	b.press("#month", "model")
	for _, m := range members {
		if got := micros(b, "month", "m", 0); m.Key == "ada" && got != m.ExpenseMicros {
			t.Errorf("ada has spent %d, and the page says %d", m.ExpenseMicros, got)
		}
	}
	if kept := read[string](b, `JSON.stringify([location.href, document.cookie, Object.keys(localStorage), sessionStorage.getItem("tokenbuddy.key")])`); kept != `["`+origin+`/tokenbuddy/","",[],"key-of-ada"]` {
		t.Errorf("it keeps %s", kept)
	}
	b.shoot("member")
	b.do(chromedp.Reload())
	b.until(`document.querySelectorAll("#requests tbody tr").length === 3`)
	b.well(origin, "key-of-ada")
	b.press("header", "Forget the key")
	if left := read[int](b, `sessionStorage.length`); left != 0 || strings.Contains(b.text("body"), "ada") {
		t.Errorf("the key is not forgotten: %s", b.text("body"))
	}
}

// TestForgotten has a key that was forgotten, or another one, not be undone by the answer to the one before.
func TestForgotten(t *testing.T) {
	b := open(t)
	g := start(t)
	g.used()
	b.onFetch(`
		const answer = await ask(...asked);
		if (window.hold) { window.held = true; await new Promise(go => window.go = go); window.hold = window.held = false; }
		return answer;
	`)
	b.do(chromedp.Navigate("http://" + g.site + "/tokenbuddy/"))
	b.until(`document.getElementById("state").innerText === "no key"`)
	b.do(chromedp.SendKeys("#key", "key-of-ada"))
	b.press("#door", "Show")
	b.until(`document.querySelector("#budgets").innerText.includes("of $0.50")`)
	read[any](b, `window.hold = true`)
	b.until(`window.held === true`)
	b.press("header", "Forget the key")
	b.do(chromedp.SendKeys("#key", "key-of-bob"))
	b.press("#door", "Show")
	b.do(chromedp.Evaluate(`
		window.seen = "";
		new MutationObserver(() => { window.seen += document.body.innerText; }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
		window.go();
		new Promise(go => setTimeout(go, 300))
	`, nil, awaited))
	if seen := read[string](b, `window.seen`); strings.Contains(seen, "of $0.50") {
		t.Errorf("ada is shown again: %s", seen)
	}
	b.until(`document.querySelector("#budgets").innerText.includes("of $5.00")`)
	if kept := read[string](b, `sessionStorage.getItem("tokenbuddy.key")`); kept != "key-of-bob" {
		t.Errorf("the key is %s", kept)
	}
}

package browser

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// desk is a program that pays and can't tell whether it has.
const desk = `#!/bin/sh
read -r line
case $line in
*'"step":"check"'* | *'"step":"prepare"'*) echo '{"status":"ok","intent":{}}' ;;
*) exit 3 ;;
esac
`

// till gives what has a gateway buy toy-large by desk, or another program.
func till(t *testing.T, desk string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "pay")
	if err := os.WriteFile(program, []byte(desk), 0o700); err != nil {
		t.Fatal(err)
	}
	seller := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/purchase/create" {
			return
		}
		var asked struct{ AmountMicros int64 }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"orderId":"o_1","amountMicros":%d,"currency":"USD","payment":{}}`, asked.AmountMicros)
	}))
	t.Cleanup(seller.Close)
	return fmt.Sprintf(`payment command {
			name desk
			run %s
		}
		seller till %s {
			payment desk
			models toy-large
			price toy-large 1 2
		}`, program, seller.URL)
}

// post gives an order to the admin endpoint, and reads what it answers.
func (g *gateway) post(path, body string, v any) {
	g.t.Helper()
	res, err := http.Post("http://"+g.admin+"/tokenbuddy/"+path, "application/json", strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	if raw, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || json.Unmarshal(raw, v) != nil {
		g.t.Fatalf("%s: %d %v %s", path, res.StatusCode, err, raw)
	}
}

// keys types them, where the focus is.
func (b *tab) keys(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// asks waits until the dialog says some words, and tells whether it may be done.
func (b *tab) asks(words string) (ready bool) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.querySelector("#ask").open && document.querySelector("#ask").innerText.includes(%q)`, words))
	return read[bool](b, `![...document.querySelectorAll("#ask button")].at(-1).disabled`)
}

// mindNoRefusals has the browser's own complaints of refused orders be none of the page.
func (b *tab) mindNoRefusals() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = slices.DeleteFunc(b.wrong, func(s string) bool { return strings.Contains(s, "status of 40") })
}

// TestBudgets has budgets be raised, by the keyboard alone, and members be disabled.
func TestBudgets(t *testing.T) {
	b := open(t)
	g := start(t)
	var eve struct{ Key string }
	g.post("members", `{"name":"eve","dailyBudget":"1"}`, &eve)
	origin := "http://" + g.admin
	b.do(chromedp.Navigate(origin + "/tokenbuddy/"))
	type member struct {
		Name    string
		Budgets []struct {
			Period      string
			LimitMicros int64
		}
		Raises []struct{ AmountMicros int64 }
	}
	limit := func(name string) (micros int64) {
		t.Helper()
		var all []member
		g.get("members", &all)
		i := slices.IndexFunc(all, func(m member) bool { return m.Name == name })
		if i < 0 || all[i].Budgets[0].Period != "daily" {
			t.Fatalf("%+v", all)
		}
		return all[i].Budgets[0].LimitMicros
	}
	const onAda = `document.activeElement.dataset.key === "members raise ada"`
	b.until(`document.querySelector('[data-key="members raise ada"]') !== null`)
	read[any](b, `document.querySelector('[data-key="members raise ada"]').focus()`)
	b.keys(kb.Enter)
	if b.asks("daily budget of ada, which is $0.50") {
		t.Error("it may be raised by nothing")
	}
	for _, text := range []string{"x", "-1", "0", "1e3", "0.0000001", "1,500", "1,5.0", "1,"} {
		b.write(`#ask [name="usd"]`, text)
		if b.asks("By how many US dollars") {
			t.Errorf("it may be raised by %s", text)
		}
	}
	b.write(`#ask [name="usd"]`, "")
	b.keys("0.25")
	if !b.asks("by $0.25, from $0.50 to $0.75, until today is over? Other budgets stay as they are.") || !strings.Contains(b.text("#ask"), "caddy tokenbuddy members raise ada 0.25") {
		t.Errorf("it asks %s", b.text("#ask"))
	}
	b.keys(kb.Enter) // from the field to the button
	b.until(`document.activeElement.textContent === "Do it"`)
	if got := limit("ada"); got != 500_000 {
		t.Errorf("the budget is raised to %d before the words could be read", got)
	}
	b.keys(kb.Enter)
	b.until(`!document.querySelector("#ask").open && document.querySelector("#members").innerText.includes("of $0.75")`)
	if got := limit("ada"); got != 750_000 {
		t.Errorf("the budget is %d", got)
	}
	b.until(`document.querySelector("#members").innerText.includes("daily raised by $0.25 until ")`)
	b.until(onAda) // the keyboard is where it was, though all is drawn anew
	g.ask("key-of-ada", "ada-0", "m")
	b.until(`[...document.querySelectorAll("#requests tbody tr")].length === 1`)
	b.until(onAda)
	b.keys(kb.Enter)
	b.asks("daily budget of ada")
	b.keys(kb.Escape)
	b.until(`!document.querySelector("#ask").open`)
	b.until(onAda)

	// A name that would be a path and markup.
	read[any](b, fmt.Sprintf(`[...document.querySelectorAll("#members button")].find(e => e.dataset.key.startsWith("members raise ") && e.closest("tr").innerText.includes(%q)).click()`, bob))
	b.write(`#ask [name="usd"]`, "1")
	b.write(`#ask [name="until"]`, "2001-01-01")
	b.asks("daily budget of " + bob + " by $1.00, from $5.00 to $6.00, until 2001-01-01?")
	b.press("#ask", "Do it")
	b.asks("is over")
	b.write(`#ask [name="until"]`, "2099-01-01")
	b.shoot("raise")
	// The answer is lost, and the button pressed again: the budget is raised once.
	read[any](b, `(() => {
		const send = window.fetch;
		window.fetch = async (...asked) => {
			const answer = await send(...asked);
			if (!String(asked[0]).includes("/raise?")) return answer;
			window.fetch = send;
			throw new TypeError("the phone has lost its network");
		};
	})()`)
	b.press("#ask", "Do it")
	b.asks("There was no answer")
	b.press("#ask", "Do it")
	b.until(`!document.querySelector("#ask").open`)
	if got := limit(bob); got != 6_000_000 {
		t.Errorf("the budget of %s is %d", bob, got)
	}

	if got := g.ask(eve.Key, "eve-0", "m"); got != 200 {
		t.Fatalf("eve gets %d", got)
	}
	for _, order := range []struct {
		word string
		want int
	}{{"disable", 401}, {"enable", 200}} {
		b.press("#members", order.word)
		b.asks("the keys of eve")
		b.press("#ask", "Do it")
		b.until(`!document.querySelector("#ask").open`)
		if got := g.ask(eve.Key, "eve-1", "m"); got != order.want {
			t.Errorf("after %s eve gets %d", order.word, got)
		}
	}
	b.mindNoRefusals()
	b.well(origin, eve.Key)
}

// TestFailedAfterPaying has what a seller gives back be booked for a purchase that has failed, where the program that paid does not say that nothing was paid.
func TestFailedAfterPaying(t *testing.T) {
	b := open(t)
	g := start(t, till(t, strings.Replace(desk, "exit 3", `echo '{"status":"failed"}'`, 1)))
	g.ask("key-of-ada", "ada-0", "toy-large")
	origin := "http://" + g.admin
	b.do(chromedp.Navigate(origin + "/tokenbuddy/"))
	b.press("#purchases", "approve")
	b.press("#ask", "Do it")
	b.asks("paid for nothing: booked as disputed")
	b.press("#ask", "Leave it")
	b.press("#purchases", "refund")
	b.write(`#ask [name="usd"]`, "5")
	b.write(`#ask [name="reference"]`, "tx-1")
	b.asks("Book that $5.00 of the $5.00 for the purchase at till came back")
	b.press("#ask", "Do it")
	b.until(`document.querySelector("#purchases tbody").innerText.includes("$5.00 refunded")`)
	b.until(`![...document.querySelectorAll("#purchases button")].some(e => e.textContent === "refund")`)
	b.mindNoRefusals()
	b.well(origin)
}

// TestDoubt has a purchase of which nobody knows whether it was paid be settled by a human's word, and what the seller gives back be booked.
func TestDoubt(t *testing.T) {
	b := open(t)
	g := start(t, till(t, desk))
	if got := g.ask("key-of-ada", "ada-0", "toy-large"); got != 503 {
		t.Fatalf("ada gets %d", got)
	}
	origin := "http://" + g.admin
	b.do(chromedp.Navigate(origin + "/tokenbuddy/"))
	b.press("#purchases", "approve")
	b.asks("Pay $5.00 to till?")
	b.press("#ask", "Do it")
	b.until(`document.querySelector("#purchases tbody").innerText.includes("paying")`)
	b.until(`!document.querySelector("#ask").open`)

	b.press("#purchases", "settle")
	if b.asks("Were $5.00 for the purchase at till paid?") {
		t.Error("it may be settled without a word")
	}
	read[any](b, `document.querySelector('#ask [value="false"]').click()`)
	b.asks("go back to the wallet (desk)")
	read[any](b, `document.querySelector('#ask [value="true"]').click()`)
	b.write(`#ask [name="note"]`, "the bank says so")
	if !b.asks("Book that $5.00 for the purchase at till were paid?") || !strings.Contains(b.text("#ask"), " --paid --note 'the bank says so'") {
		t.Errorf("it asks %s", b.text("#ask"))
	}
	b.shoot("settle")
	b.press("#ask", "Do it")
	b.until(`document.querySelector("#purchases tbody").innerText.includes("disputed")`)

	refund := func(usd, reference string) {
		t.Helper()
		b.press("#purchases", "refund")
		b.write(`#ask [name="usd"]`, strings.Replace(usd, ".", ",", 1)) // as phones write it where a comma stands in numbers
		if b.asks("How many US dollars of the $5.00 for the purchase at till") {
			t.Error("it may be booked without a reference")
		}
		b.write(`#ask [name="reference"]`, reference)
		if !b.asks("Book that $" + usd + " of the $5.00 for the purchase at till came back to the wallet (desk)?") {
			t.Errorf("it asks %s", b.text("#ask"))
		}
		b.press("#ask", "Do it")
	}
	refund("3.25", "tx-1")
	b.until(`document.querySelector("#purchases tbody").innerText.includes("$3.25 refunded")`)
	b.well(origin)
	refund("3.25", "tx-2")
	b.asks("$1.75 is not refunded yet")
	b.press("#ask", "Leave it")
	b.mindNoRefusals()
	b.well(origin)

	var purchases []struct {
		State          string
		RefundedMicros int64
		Refunds        []struct{ Reference string }
	}
	g.get("purchases", &purchases)
	if len(purchases) != 1 || purchases[0].State != "disputed" || purchases[0].RefundedMicros != 3_250_000 || purchases[0].Refunds[0].Reference != "tx-1" {
		t.Errorf("%+v", purchases)
	}
	var accounts []struct {
		Account       string
		BalanceMicros int64
	}
	g.get("ledger/accounts", &accounts)
	if said := fmt.Sprint(accounts); !strings.Contains(said, "{disputed:till 1750000}") || !strings.Contains(said, "{wallet:desk -1750000}") {
		t.Errorf("the accounts are %s", said)
	}
	res, err := http.Get("http://" + g.admin + "/tokenbuddy/ledger/entries?seller=till")
	if err != nil {
		t.Fatal(err)
	}
	journal, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	for _, words := range []string{"approved by the page from 127.0.0.1", "settled as paid by the page from 127.0.0.1: the bank says so", "refunded by the page from 127.0.0.1"} {
		if err != nil || !strings.Contains(string(journal), words) {
			t.Errorf("the journal does not say %s: %v %s", words, err, journal)
		}
	}
}

package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestFind looks for one of more members and sellers than are shown, and gives an order about it.
func TestFind(t *testing.T) {
	b := open(t)
	var many strings.Builder
	for i := range 205 {
		fmt.Fprintf(&many, "member m-%03d {\n\tkey key-of-member-%03d\n\tdaily_budget 1\n}\n", i, i)
	}
	for i := range 65 {
		fmt.Fprintf(&many, "seller s-%02d http://127.0.0.1:9/s-%02d {\n\tno_key\n\tmodels x\n\tprice x 1 2\n}\n", i, i)
	}
	g := start(t, many.String())
	origin := "http://" + g.admin
	b.do(chromedp.Navigate(origin + "/tokenbuddy/"))
	b.until(`document.querySelector("#members").innerText.includes("the first 200 of 207")`)
	rows := func(section string, want int) {
		t.Helper()
		b.until(fmt.Sprintf(`document.querySelectorAll("#%s tbody tr").length === %d`, section, want))
	}
	rows("members", 200)
	b.write("#members input", "M-20")
	rows("members", 5)
	b.write("#members input", "build") // a group
	rows("members", 2)
	b.press("#members", "raise")
	b.write(`#ask [name="usd"]`, "0.25")
	b.asks("from $5.00 to $5.25") // bob's, who is the first
	b.press("#ask", "Do it")
	b.until(`document.querySelector("#members tbody").innerText.includes("of $5.25")`)
	b.write("#members input", "<b>nobody</b>")
	b.until(`document.querySelector("#members").innerText.includes("None has “<b>nobody</b>” in its name or group.")`)
	b.write("#members input", "")
	rows("members", 200)

	rows("sellers", 60)
	b.write("#sellers input", "S-64")
	rows("sellers", 1)
	b.until(`document.querySelector("#sellers tbody tr").innerText.includes("x $1.00 / $2.00")`)
	b.press("#sellers", "pause")
	b.press("#ask", "Do it")
	b.until(`document.querySelector("#sellers tbody tr").innerText.includes("paused")`)
	b.press("#sellers", "resume")
	b.press("#ask", "Do it")
	b.until(`!document.querySelector("#sellers tbody tr").innerText.includes("paused")`)
	b.shoot("found")
	b.write("#sellers input", "acme")
	b.until(`document.querySelector("#sellers tbody tr").innerText.includes("acme")`)
	b.write("#sellers input", "")
	rows("sellers", 60)
	b.well(origin)
}

// TestRefusedAccount has the row of a provider say that it takes the account no more, as the command does.
func TestRefusedAccount(t *testing.T) {
	b := open(t)
	locked := serve(t, 401, `{"error":{"message":"no"}}`)
	g := start(t, "seller locked "+locked+" {\n\tapi_key key-at-locked\n\tmodels only-there\n\tprice only-there 1 2\n}")
	g.ask("key-of-ada", "ada-0", "only-there")
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	b.until(`[...document.querySelectorAll("#sellers tbody tr")].find(r => r.innerText.includes("locked"))?.innerText.includes("refuses the account there (401)") === true`)
}

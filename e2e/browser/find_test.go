package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// many gives more members than are shown.
func many() string {
	var s strings.Builder
	for i := range 205 {
		fmt.Fprintf(&s, "member m-%03d {\n\tkey key-of-member-%03d\n\tdaily_budget 1\n}\n", i, i)
	}
	return s.String()
}

// TestFind looks for one of more members and sellers than are shown, and gives an order about it.
func TestFind(t *testing.T) {
	b := open(t)
	var sellers strings.Builder
	for i := range 65 {
		fmt.Fprintf(&sellers, "seller s-%02d http://127.0.0.1:9/s-%02d {\n\tno_key\n\tmodels x\n\tprice x 1 2\n}\n", i, i)
	}
	g := start(t, many(), sellers.String())
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

// TestFoundLater has those that are looked for among more than are shown be read now and again, not with each word of the gateway, and be told of by
// what is so by now: at once where an order has changed them, and where one is asked about them.
func TestFoundLater(t *testing.T) {
	b := open(t)
	g := start(t, many())
	b.inject(`window.lists = 0`)
	b.onFetch(`if (/^members(\?|$)/.test(asked[0])) window.lists++; return ask(...asked);`)
	b.do(chromedp.Navigate("http://" + g.admin + "/tokenbuddy/"))
	b.until(`document.querySelector("#members").innerText.includes("the first 200 of 207")`)
	b.write("#members input", "m-204")
	b.until(`document.querySelectorAll("#members tbody tr").length === 1`)
	for i := range 3 { // which all are told of, each by itself
		if got := g.ask("key-of-ada", fmt.Sprint("ada-", i), "m"); got != 200 {
			t.Fatalf("ada gets %d", got)
		}
		b.until(fmt.Sprintf(`document.querySelectorAll("#requests tbody tr").length === %d`, i+1))
	}
	if n := read[int](b, `window.lists`); n > 2 {
		t.Errorf("all members were read %d times", n)
	}
	b.press("#members", "raise")
	b.write(`#ask [name="usd"]`, "0.25")
	b.asks("from $1.00 to $1.25")
	var is any
	g.post("members/m-204/raise", `{"usd":"1"}`, &is)
	b.asks("from $2.00 to $2.25") // though nothing that the gateway tells of by itself is another
	b.press("#ask", "Do it")
	b.until(`!document.querySelector("#ask").open`)
	b.until(`document.querySelector("#members tbody").innerText.includes("of $2.25")`)
	g.post("members/m-204/raise", `{"usd":"1"}`, &is)
	b.press("#members", "raise")
	b.write(`#ask [name="usd"]`, "0.25")
	b.asks("from $3.25 to $3.50")
	b.press("#ask", "Leave it")
}

// TestOldPurchase finds a purchase that is not among those that are shown, and has what came back for it be booked.
func TestOldPurchase(t *testing.T) {
	b := open(t)
	g := start(t, till(t, strings.Replace(desk, "exit 3", `echo '{"status":"failed"}'`, 1)))
	g.ask("key-of-ada", "ada-0", "toy-large")
	var purchases []struct{ PurchaseID string }
	g.get("purchases", &purchases)
	res, err := http.Post("http://"+g.admin+"/tokenbuddy/purchases?approve="+purchases[0].PurchaseID, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	b.onFetch(`
		const answer = await ask(...asked);
		if (!String(asked[0]).startsWith("live")) return answer;
		let rest = "";
		const cut = new TransformStream({ transform(text, to) {
			const events = (rest + text).split("\n\n");
			rest = events.pop();
			for (const e of events) to.enqueue((e.startsWith("data: ") ? "data: " + JSON.stringify({ ...JSON.parse(e.slice(6)), purchases: [] }) : e) + "\n\n");
		} });
		return new Response(answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(cut).pipeThrough(new TextEncoderStream()), { headers: answer.headers });
	`)
	origin := "http://" + g.admin
	b.do(chromedp.Navigate(origin + "/tokenbuddy/"))
	b.until(`document.getElementById("state").innerText === "live" && document.querySelector("#purchases input") !== null`)
	b.write("#purchases input", "TILL")
	b.until(`document.querySelectorAll("#purchases tbody tr").length === 1`)
	b.press("#purchases", "refund")
	b.write(`#ask [name="usd"]`, "2")
	b.write(`#ask [name="reference"]`, "tx-1")
	b.asks("Book that $2.00 of the $5.00 for the purchase at till came back")
	b.press("#ask", "Do it")
	b.until(`document.querySelector("#purchases tbody").innerText.includes("$2.00 refunded")`)
	b.write("#purchases input", "nowhere")
	b.until(`document.querySelector("#purchases").innerText.includes("None has “nowhere” in its id, seller, state or reference.")`)
	b.well(origin)
}

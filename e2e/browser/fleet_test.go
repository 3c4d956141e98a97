package browser

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// postgres starts a database, and gives its DSN and what ends it.
func postgres(t *testing.T) (dsn string, end func()) {
	t.Helper()
	server := exec.Command(database)
	server.Stderr = os.Stderr
	in, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	said.Scan()
	end = func() {
		_ = in.Close()
		err = errors.Join(err, server.Wait())
	}
	if dsn = said.Text(); dsn == "" {
		end()
		if server.ProcessState.ExitCode() == 3 && os.Getenv("TOKENBUDDY_NEED_POSTGRES") == "" {
			t.Skip("there is no PostgreSQL here")
		}
		t.Fatal(err)
	}
	t.Cleanup(end)
	return dsn, end
}

// TestFleet shows a fleet of two on the page of one.
func TestFleet(t *testing.T) {
	b := open(t)
	dsn, end := postgres(t)
	in := func(name string) string { return fmt.Sprintf("fleet postgres %s {\n\t\t\tname %s\n\t\t}", dsn, name) }
	one, two := start(t, in("one")), start(t, in("two"))
	for i, g := range []*gateway{one, two, one} {
		if got := g.ask("key-of-ada", fmt.Sprint("of-", i), "m"); got != 200 {
			t.Fatalf("ada gets %d", got)
		}
	}
	var spent []struct {
		Key                     string
		Requests, ExpenseMicros int64
	}
	wait(t, "the books", func() bool {
		one.get("ledger/summary?by=member", &spent)
		return len(spent) == 1 && spent[0].Requests == 2
	})
	origin := "http://" + one.admin
	b.onFetch(`
		const answer = await ask(...asked);
		if (window.slow && String(asked[0]).startsWith("ledger/summary")) await new Promise(go => window.go = go);
		return answer;
	`)
	b.do(chromedp.Navigate(origin + "/tokenbuddy/"))
	b.until(`document.querySelectorAll("#fleet tbody tr").length === 2`)
	b.until(`[...document.querySelectorAll("#fleet tbody tr")].every(r => r.innerText.includes("there"))`)
	if said := b.text("#fleet"); !strings.Contains(said, "one (this one)") || !strings.Contains(said, "two") || !strings.Contains(said, "of this gateway, one, alone") {
		t.Errorf("the gateways are %s", said)
	}
	// What both have spent is in the budget; the books are those of one, until those of all are wanted.
	both := spent[0].ExpenseMicros / 2 * 3
	row := `[...document.querySelectorAll("#members tbody tr")].find(r => r.cells[0].innerText.includes("ada"))`
	b.until(fmt.Sprintf(`%s?.querySelector("[data-micros]").dataset.micros === "%d"`, row, both))
	b.press("#month", "member")
	b.until(fmt.Sprintf(`document.querySelector("#month tbody [data-micros]")?.dataset.micros === "%d"`, spent[0].ExpenseMicros))
	b.press("#fleet", "all gateways")
	b.until(fmt.Sprintf(`document.querySelector("#month tbody [data-micros]")?.dataset.micros === "%d"`, both))
	// Nor is what all have used told as this one's, until it has answered.
	read[any](b, `window.slow = true`)
	b.press("#fleet", "this gateway")
	b.until(`window.go !== undefined`)
	if said := b.text("#month"); !strings.Contains(said, "of one") || read[int](b, `document.querySelectorAll("#month [data-micros]").length`) > 0 {
		t.Errorf("before the answer it says %s", said)
	}
	read[any](b, `window.slow = false; window.go()`)
	b.until(fmt.Sprintf(`document.querySelector("#month tbody [data-micros]")?.dataset.micros === "%d"`, spent[0].ExpenseMicros))
	b.press("#fleet", "all gateways")
	b.write("#requests input.id", "of-1")
	b.until(`document.querySelectorAll("#requests tbody tr").length === 1`)
	b.mu.Lock() // the browser itself complains that this gateway does not know it, before the books of all are asked
	b.wrong = slices.DeleteFunc(b.wrong, func(s string) bool { return strings.Contains(s, "404") && strings.HasSuffix(s, "/requests?id=of-1") })
	b.mu.Unlock()
	b.well(origin)
	b.shoot("fleet")

	two.stop()
	b.until(`[...document.querySelectorAll("#fleet tbody tr")].some(r => r.innerText.includes("two") && r.innerText.includes("stopped"))`)
	end()
	b.until(`document.querySelector("#fleet").innerText.includes("The fleet's store is away.")`)
	b.well(origin)
}

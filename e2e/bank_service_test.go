package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// service is one answer of a seller of the bank test.
type service struct {
	*bankSeller
	w       http.ResponseWriter
	r       *http.Request
	body    []byte
	id, key string
	account *account
	fate    string

	prompt, completion int64
}

func (v *service) serve() {
	random := v.bank.random("usage", v.key)
	v.prompt, v.completion = 10+random.Int64N(30), 5+random.Int64N(35)
	await(v.r, upTo(random.Rand, 6*time.Millisecond))
	if strings.HasSuffix(v.fate, "when booked") {
		v.bank.lose(v.key)
	}
	switch v.fate {
	case "500 when booked":
		v.book()
		v.w.WriteHeader(http.StatusInternalServerError)
		return
	case "silence when booked":
		v.book()
		<-v.r.Context().Done()
		return
	case "reset when booked":
		v.book()
		panic(http.ErrAbortHandler)
	}
	if bytes.Contains(v.body, []byte(`"stream":true`)) {
		v.stream()
	} else {
		v.plain()
	}
}

func (v *service) book() *charge {
	c := v.charge(v.account, v.key, v.prompt, v.completion)
	v.bank.nemesis.at(costBooked)
	return c
}

// usage is what an answer says of tokens.
func (v *service) usage() string {
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, v.prompt, v.completion, v.prompt+v.completion)
}

// settlement is the seller's word on what the request has cost.
func (v *service) settlement(c *charge) string {
	return event("tokenbuddy.settlement", fmt.Sprintf(`{"settlementId":%q,"billedMicros":%d,"balanceMicros":%d}`,
		c.settlement, c.billed, v.balance(v.account)))
}

func (v *service) plain() {
	c := v.book()
	if c == nil {
		v.w.WriteHeader(http.StatusPaymentRequired)
		return
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/json")
	if v.fate != "settlement lost" && v.fate != "settlement and usage lost" {
		h.Set("X-TokenBuddy-Settlement-Id", c.settlement)
		h.Set("X-TokenBuddy-Billed-Micros", fmt.Sprint(c.billed))
		h.Set("X-TokenBuddy-Balance-Micros", fmt.Sprint(v.balance(v.account)))
	}
	_, _ = io.WriteString(v.w, plainAnswerTo(v.id, v.shownUsage()))
}

func (v *service) shownUsage() string {
	if v.fate == "settlement and usage lost" {
		return "null"
	}
	return v.usage()
}

func (v *service) send(text string) {
	_, _ = io.WriteString(v.w, text)
	_ = http.NewResponseController(v.w).Flush()
}

func (v *service) stream() {
	var c *charge
	if v.fate == "cut when booked" || v.fate == "settlement first" || v.fate == "settlement twice" {
		if c = v.book(); c == nil {
			v.w.WriteHeader(http.StatusPaymentRequired)
			return
		}
	}
	v.w.Header().Set("Content-Type", "text/event-stream")
	v.send(roleEvent)
	v.bank.nemesis.at(headersSent)
	for i, text := range strings.SplitAfter(streamTexts(v.id), "\n\n") {
		if text == "" {
			continue
		}
		v.send(text)
		if i == 0 {
			v.bank.nemesis.at(contentSent)
		}
		await(v.r, time.Millisecond)
	}
	if strings.HasPrefix(v.id, hungPrefix) {
		<-v.r.Context().Done()
		return
	}
	switch v.fate {
	case "cut", "cut when booked":
		panic(http.ErrAbortHandler)
	case "settlement first", "settlement twice":
		v.send(v.settlement(c))
		v.bank.nemesis.at(settlementSent)
	default:
		c = v.book()
	}
	if c == nil { // it was served for nothing
		c = &charge{settlement: "s_free_" + v.id, account: v.account}
		v.prompt, v.completion = 0, 0
	}
	if v.fate != "settlement and usage lost" {
		v.send("data: {\"id\":\"c\",\"choices\":[],\"usage\":" + v.usage() + "}\n\n")
	}
	v.send(endEvents)
	v.bank.nemesis.at(endSent)
	switch v.fate {
	case "settlement first", "settlement lost", "settlement and usage lost":
		return
	case "settlement late":
		await(v.r, 30*time.Millisecond)
	case "settlement very late":
		await(v.r, 400*time.Millisecond)
	}
	v.send(v.settlement(c))
	v.bank.nemesis.at(settlementSent)
}

// streamTexts are the events with content of the answer to a request.
func streamTexts(id string) string { return textEvent("for ") + textEvent(id) + textEvent(".") }

// plainAnswerTo is a whole answer to a request that is no stream.
func plainAnswerTo(id, usage string) string {
	return fmt.Sprintf(`{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",`+
		`"content":"for %s."},"finish_reason":"stop"}],"usage":%s}`, id, usage)
}

package clawtip

import (
	"net/url"
	"strings"
)

// said is what the rail's program has said on stdout.
type said struct {
	broken bool   // the network or the rail: nothing is known
	human  bool   // a human must do something
	link   string // where; empty where it is none that we show
}

// listen reads the program's output. Where it asks for a human, a credential beside that says that nothing was paid.
func listen(stdout []byte) (s said) {
	text := string(stdout)
	switch {
	case strings.Contains(text, "网络或系统异常"):
		s.broken = true
	case strings.Contains(text, "授权链接"):
		s.human, s.link = true, linkAfter(text, "授权链接")
	case strings.Contains(text, "鉴权链接"):
		s.human, s.link = true, linkAfter(text, "鉴权链接")
	}
	return s
}

// linkAfter finds the link behind a label, if it leads to a host of the rail.
func linkAfter(text, label string) string {
	_, after, _ := strings.Cut(text, label)
	after = strings.TrimLeft(after, ":： \t\r\n")
	if i := strings.IndexFunc(after, func(r rune) bool { return r <= ' ' || r > '~' }); i >= 0 {
		after = after[:i]
	}
	const maxLink = 2048
	u, err := url.Parse(after)
	if err != nil || len(after) > maxLink || u.Scheme != "https" || u.User != nil || u.Port() != "" ||
		u.Hostname() != railHost && !strings.HasSuffix(u.Hostname(), "."+railHost) {
		return ""
	}
	return u.String()
}

// railHost is the domain whose links are shown.
const railHost = "jd.com"

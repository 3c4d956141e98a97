package relay

import (
	"net/http"
	"strconv"
	"strings"
)

// maxVia bounds what is passed on of a Via that came, in bytes.
const maxVia = 4 << 10

// AddVia sets in a request to an own account through whom the client's request has come: what its Via says, and this gateway by a
// name of its own. A Via that is longer than a chain of gateways makes it is left out.
func AddVia(dst, client http.Header, major, minor int, name string) {
	via := strings.Join(client.Values("Via"), ", ")
	if len(via) > maxVia {
		via = ""
	}
	if via != "" {
		via += ", "
	}
	dst.Set("Via", via+strconv.Itoa(major)+"."+strconv.Itoa(minor)+" "+name)
}

// InVia tells whether a request has come through the gateway of this name: then it is a loop.
func InVia(client http.Header, name string) bool {
	for _, value := range client.Values("Via") {
		for hop := range strings.SplitSeq(value, ",") {
			if fields := strings.Fields(hop); len(fields) > 1 && strings.EqualFold(fields[1], name) && !strings.HasPrefix(fields[0], "(") {
				return true
			}
		}
	}
	return false
}

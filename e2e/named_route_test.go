package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestNamedRoute has two sites invoke one gateway, which is found in both of them: by requests, by connect, and by who looks at
// certificates.
func TestNamedRoute(t *testing.T) {
	t.Parallel()
	c := newCaddy(t, "")
	cert, key := c.certificate(time.Now().AddDate(0, 0, -5), time.Now().AddDate(0, 0, 85))
	port := strings.Split(freeAddress(t), ":")[1]
	gateway := market(registryOf(t, []string{"m"}, newSeller(t, "acme", answerPlain)), "")
	c.write(c.global("") + fmt.Sprintf("&(gateway) {\n\ttokenbuddy {\n%s\n\t}\n}\nhttp://%s {\n\tbind 127.0.0.1\n\tinvoke gateway\n}\nhttps://localhost:%s {\n\tbind 127.0.0.1\n\ttls %s %s\n\tinvoke gateway\n}\n",
		gateway, c.site, port, cert, key))
	c.start()
	if res, body := c.post("/v1/chat/completions", chatOf("m", "")); res.StatusCode != http.StatusOK {
		t.Errorf("%d: %s", res.StatusCode, body)
	}
	c.bad("such as one of: http://"+c.site+", https://localhost:"+port, "connect", "--address", c.admin)
	var status struct{ Certificates []struct{ Host string } }
	if _, body := c.look("/tokenbuddy/status"); json.Unmarshal(body, &status) != nil || len(status.Certificates) != 1 || status.Certificates[0].Host != "localhost" {
		t.Errorf("the certificates are %+v", status.Certificates)
	}
}

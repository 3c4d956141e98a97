package pgtest

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// Proxy is a network between a client and a server, which a test can cut.
type Proxy struct {
	listener net.Listener

	mu       sync.Mutex
	target   string
	hole     bool   // nothing passes, in no direction, and no connection is closed
	mark     []byte // from the client: what stands in it passes, and nothing after it; nil: none
	cut      chan struct{}
	conns    map[net.Conn]bool
	changed  *sync.Cond
	finished bool
}

// NewProxy starts a proxy to an address, for the time of the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends with the test
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: target, conns: make(map[net.Conn]bool)}
	p.changed = sync.NewCond(&p.mu)
	go p.accept()
	t.Cleanup(p.close)
	return p
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Turn makes new connections go to another address, and ends those that are there.
func (p *Proxy) Turn(target string) {
	p.mu.Lock()
	p.target = target
	p.mu.Unlock()
	p.Drop()
}

// Cut makes a black hole of it: nothing passes, new connections are taken and lead nowhere, and nobody is told.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = true
}

// CutAfter makes a black hole of it as soon as a client has said something with those bytes in it, which still reach the server; its
// answer does not come back. The channel is closed by then.
func (p *Proxy) CutAfter(mark string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mark, p.cut = []byte(mark), make(chan struct{})
	return p.cut
}

// Heal ends a cut. What was held back meanwhile passes, on connections that are still there.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole, p.mark = false, nil
	p.changed.Broadcast()
}

// Drop ends all connections.
func (p *Proxy) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		conn.Close()
	}
	clear(p.conns)
}

func (p *Proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	p.finished = true
	p.changed.Broadcast()
	p.mu.Unlock()
	p.Drop()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.serve(client)
	}
}

func (p *Proxy) serve(client net.Conn) {
	if !p.keep(client) || !p.open() {
		client.Close()
		return
	}
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	server, err := net.Dial("tcp", target) //nolint:noctx // on loopback
	if err != nil {
		client.Close()
		return
	}
	if !p.keep(server) {
		server.Close()
		client.Close()
		return
	}
	go p.pass(client, server, false)
	p.pass(server, client, true)
}

// keep remembers a connection, for Drop.
func (p *Proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.finished {
		p.conns[conn] = true
	}
	return !p.finished
}

// open waits for the end of a cut; false: the proxy has ended.
func (p *Proxy) open() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.hole && !p.finished {
		p.changed.Wait()
	}
	return !p.finished
}

// pass copies from one side to the other, until one of them ends.
func (p *Proxy) pass(to, from net.Conn, asked bool) {
	defer func() {
		to.Close()
		from.Close()
	}()
	room := make([]byte, 64<<10)
	for {
		n, err := from.Read(room)
		if n > 0 {
			if !p.open() {
				return
			}
			p.look(room[:n], asked)
			if _, err := to.Write(room[:n]); err != nil {
				return
			}
		}
		if err != nil {
			p.open() // in a black hole nobody learns of an end either
			return
		}
	}
}

// look makes the cut before what the client has said reaches the server, so that no answer is quicker.
func (p *Proxy) look(said []byte, asked bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if asked && p.mark != nil && bytes.Contains(said, p.mark) {
		p.hole, p.mark = true, nil
		close(p.cut)
	}
}

package e2e

import (
	"slices"
	"sync"
)

// The points of which the seller and the rail in the test process know when the gateway is at them. At each of them it is
// killed.
const (
	createReceived    = "purchase/create received"
	createAnswered    = "purchase/create answered"
	invoiceAsked      = "invoice asked for"
	payReceived       = "payment received"
	moneyMoved        = "money moved"
	payAnswered       = "payment answered"
	trackReceived     = "payment tracked"
	completeReceived  = "purchase/complete received"
	tokenGranted      = "token granted"
	completeAnswered  = "purchase/complete answered"
	inferenceReceived = "inference received"
	costBooked        = "cost booked"
	headersSent       = "headers sent"
	contentSent       = "first content sent"
	endSent           = "last event sent"
	settlementSent    = "settlement sent"
)

var bankPoints = []string{
	createReceived, createAnswered, invoiceAsked, payReceived, moneyMoved, payAnswered, trackReceived, completeReceived,
	tokenGranted, completeAnswered, inferenceReceived, costBooked, headersSent, contentSent, endSent, settlementSent,
}

// ofPurchase tells whether the gateway comes to a point only when it buys.
func ofPurchase(point string) bool {
	return slices.Contains(bankPoints[:slices.Index(bankPoints, inferenceReceived)], point)
}

// nemesis kills the gateway when it comes to the point that is armed, or at once. What goes on at the seller or the rail then
// finds the gateway dead.
type nemesis struct {
	mu     sync.Mutex // protects all following fields; whoever comes to a point waits while the gateway dies
	point  string     // armed; empty: none
	passes int        // how often the gateway gets by before
	kill   func()
	dead   chan struct{}
}

// arm has the gateway killed when it comes to a point after so many passes. What it gives is closed once it is dead.
func (n *nemesis) arm(point string, passes int, kill func()) (dead <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.point, n.passes, n.kill, n.dead = point, passes, kill, make(chan struct{})
	return n.dead
}

// armed is the point at which the gateway will be killed, if any.
func (n *nemesis) armed() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.point
}

// strike kills the gateway, if it is not dead yet.
func (n *nemesis) strike() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.point = ""
	select {
	case <-n.dead:
	default:
		n.kill()
		close(n.dead)
	}
}

// at says that the gateway has come to a point.
func (n *nemesis) at(point string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.point != point {
		return
	}
	if n.passes--; n.passes >= 0 {
		return
	}
	n.point = ""
	n.kill()
	close(n.dead)
}

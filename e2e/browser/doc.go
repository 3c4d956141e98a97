// Package browser holds the test of the page in a real browser. It is a module of its own, so that the driver burdens nobody else.
package browser

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// figures are what one round of a case at a target has shown.
type figures struct {
	cpu      time.Duration // a request
	rate     float64       // requests a second
	p50, p99 time.Duration
	objects  float64 // allocated a request
	bytes    float64 // allocated a request
	kB       float64 // an open stream
}

// round loads a target with a case: first to warm it up, then to measure it.
func (b *bench) round(t *target, l load) (figures, error) {
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	clients := make([]client, l.clients)
	request := l.request(t.address)
	warm := time.Now().Add(b.warm)
	stop := warm.Add(b.measure)
	var wait sync.WaitGroup
	for i := range clients {
		wait.Go(func() {
			if err := clients[i].run(ctx, t.address, request, warm, stop); err != nil {
				clients[i].err = fmt.Errorf("%s, %s: %w", t.name, l.name, err)
				cancel()
			}
		})
	}
	defer wait.Wait()
	if err := pause(ctx, time.Until(warm)); err != nil {
		wait.Wait()
		return figures{}, errors.Join(err, failures(clients))
	}
	objects, bytes, err := t.allocations(ctx)
	if err != nil {
		return figures{}, err
	}
	before, err := t.cost()
	if err != nil {
		return figures{}, err
	}
	began := time.Now()
	_ = pause(ctx, time.Until(stop))
	after, err := t.cost()
	if err != nil {
		return figures{}, err
	}
	took := time.Since(began)
	wait.Wait()
	if err := failures(clients); err != nil {
		return figures{}, err
	}
	moreObjects, moreBytes, err := t.allocations(b.ctx)
	if err != nil {
		return figures{}, err
	}
	var all []time.Duration
	var served int // between the two looks at the clock
	for _, c := range clients {
		all = append(all, c.took...)
		served += len(c.took)
	}
	if served == 0 {
		return figures{}, fmt.Errorf("%s, %s: no request was over in %s", t.name, l.name, b.measure)
	}
	slices.Sort(all)
	n := float64(served)
	return figures{
		cpu: time.Duration(float64(after-before) / n), rate: n / took.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100],
		objects: (moreObjects - objects) / n, bytes: (moreBytes - bytes) / n,
	}, nil
}

// client is one connection that asks one thing after another.
type client struct {
	took []time.Duration // of the requests that began after the warm-up
	err  error
}

func failures(clients []client) error {
	for _, c := range clients {
		if c.err != nil && !errors.Is(c.err, context.Canceled) {
			return c.err
		}
	}
	return nil
}

func (c *client) run(ctx context.Context, address string, request []byte, warm, stop time.Time) error {
	conn, reader, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	for {
		began := time.Now()
		if began.After(stop) || ctx.Err() != nil {
			return ctx.Err()
		}
		if err := exchange(conn, reader, request); err != nil {
			return err
		}
		if began.After(warm) {
			c.took = append(c.took, time.Since(began))
		}
	}
}

func dial(ctx context.Context, address string) (net.Conn, *bufio.Reader, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, nil, err
	}
	return conn, bufio.NewReader(conn), conn.SetDeadline(time.Now().Add(5 * time.Minute))
}

// exchange sends a request and reads the whole answer.
func exchange(conn net.Conn, reader *bufio.Reader, request []byte) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}
	res, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(res.Body)
		return fmt.Errorf("%s: %s", res.Status, body)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// hold opens streams at a target and keeps them, and gives what each takes of its memory.
func (b *bench) hold(t *target, l load) (figures, error) {
	if t.name == direct {
		return figures{}, nil
	}
	before, err := t.memory()
	if err != nil {
		return figures{}, err
	}
	request := l.request(t.address)
	for range b.streams {
		conn, reader, err := dial(b.ctx, t.address)
		if err != nil {
			return figures{}, err
		}
		defer conn.Close()
		if _, err := conn.Write(request); err != nil {
			return figures{}, err
		}
		res, err := http.ReadResponse(reader, nil) //nolint:bodyclose // the connection is closed, and the body with it
		if err != nil {
			return figures{}, err
		}
		if res.StatusCode != http.StatusOK {
			return figures{}, fmt.Errorf("%s: open stream: %s", t.name, res.Status)
		}
		if _, err := io.ReadFull(res.Body, make([]byte, 200)); err != nil {
			return figures{}, err
		}
	}
	if err := pause(b.ctx, 3*time.Second); err != nil {
		return figures{}, err
	}
	after, err := t.memory()
	return figures{kB: float64(after-before) / float64(b.streams)}, err
}

// pause waits, or gives the context's error when that ends first.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

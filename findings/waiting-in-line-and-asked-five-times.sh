#!/usr/bin/env bash
# Twenty questions in a queue of NATS', each answered well within the time that a worker has, are asked fifty times and more, by a worker who takes one after the other: the time runs while they stand in line.
#
# Seen 2026-12-01 with github.com/nats-io/nats.go 1.55.0 and github.com/nats-io/nats-server/v2 2.15.3, which runs in the program (Go 1.26). Each question takes a fifth of AckWait, 200 ms of a second here; by default that is 30 s.
# Expected: a worker has AckWait for each message, as it says it is "how long the server will wait for an acknowledgement before resending", and MaxDeliver bounds how often. Consume(), which calls a function for each message, one at a time, fetches 500 of them at once
# by default, and the server's clock for all 500 starts there. The sixth question is given out again while it waits for the first five, to the same worker, who has both copies in his line, and answers both; by then the next ones are late as well. An answer of a model
# takes six seconds or more every day, and so it is the ordinary case with the defaults, as soon as six stand in line. MaxDeliver is "no limit". Ack of a copy, and of one that was answered, is no error, in the worker nothing is to
# be seen, and each copy is asked and paid. A test with one message, or a quick handler, has each once. With PullMaxMessages(1) the clock starts with the work, and each question is asked once; one that takes longer than AckWait itself has to say InProgress().
# A gateway sees the same question again and again from a client who doesn't know that he asks it: the queue's id, as an Idempotency-Key, makes one of them.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

const answer = 200 * time.Millisecond // what the model takes

func main() {
	ctx := context.Background()
	queue := must(server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: "store", NoLog: true, NoSigs: true}))
	go queue.Start()
	if !queue.ReadyForConnections(10 * time.Second) {
		panic("no server")
	}
	js := must(jetstream.New(must(nats.Connect(queue.ClientURL()))))
	for i, try := range []struct {
		name      string
		questions int
		options   []jetstream.PullConsumeOpt
	}{
		{"20 questions", 20, nil},
		{"3 questions", 3, nil},
		{"20 questions, one fetched at a time", 20, []jetstream.PullConsumeOpt{jetstream.PullMaxMessages(1)}},
	} {
		name := fmt.Sprint("questions", i)
		must(js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name}, Retention: jetstream.WorkQueuePolicy}))
		config := jetstream.ConsumerConfig{Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy}
		if i == 0 {
			worker := must(js.CreateConsumer(ctx, name, config)).CachedInfo().Config
			fmt.Printf("by default: AckWait %v, MaxDeliver %d\n", worker.AckWait, worker.MaxDeliver)
		}
		config.AckWait = 5 * answer
		worker := must(js.CreateOrUpdateConsumer(ctx, name, config))
		for question := range try.questions {
			must(js.Publish(ctx, name, fmt.Append(nil, question)))
		}
		var mu sync.Mutex
		asked, calls, ackErrors := map[string]int{}, 0, 0
		last := time.Now()
		working := must(worker.Consume(func(message jetstream.Msg) {
			<-time.After(answer)
			err := message.Ack()
			mu.Lock()
			defer mu.Unlock()
			asked[string(message.Data())]++
			calls++
			last = time.Now()
			if err != nil {
				ackErrors++
			}
		}, try.options...))
		for { // until nothing has come for longer than a message would be given out again
			<-time.After(100 * time.Millisecond)
			mu.Lock()
			quiet := time.Since(last)
			mu.Unlock()
			if quiet > 3*config.AckWait {
				break
			}
		}
		working.Stop()
		most := 0
		for _, times := range asked {
			most = max(most, times)
		}
		fmt.Printf("%s: answered %d, each once: %v, more than twice as many calls: %v, one of them three times or more: %v, errors %d\n",
			try.name, len(asked), calls == try.questions, calls > 2*try.questions, most >= 3, ackErrors)
	}
}
GO
{ go mod init probe && go get github.com/nats-io/nats-server/v2@v2.15.3 github.com/nats-io/nats.go@v1.55.0 && go get .; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/nats-io/nats.go github.com/nats-io/nats-server/v2
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
by default: AckWait 30s, MaxDeliver -1
20 questions: answered 20, each once: false, more than twice as many calls: true, one of them three times or more: true, errors 0
3 questions: answered 3, each once: true, more than twice as many calls: false, one of them three times or more: false, errors 0
20 questions, one fetched at a time: answered 20, each once: true, more than twice as many calls: false, one of them three times or more: false, errors 0
SEEN

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Pace of the model under load: each answer is so many deltas a second.
const pace = 50

// servePaced is the role of a model whose deltas say when they were written, in ns since 1970, so that who gets one
// knows its age. An answer goes on until the model is told to end all of them (POST /bench/end).
func servePaced(ctx context.Context) error {
	over := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a body that breaks off ends the request's context
		answerPaced(w, r, over)
	})
	mux.HandleFunc("POST /bench/end", func(http.ResponseWriter, *http.Request) { close(over) })
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", l.Addr())
	hs := &http.Server{Handler: mux}
	stop := context.AfterFunc(ctx, func() { _ = hs.Close() }) // Serve reports it
	defer stop()
	if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// answerPaced writes one answer. A client that has gone ends it.
func answerPaced(w http.ResponseWriter, r *http.Request, over <-chan struct{}) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	tick := time.NewTicker(time.Second / pace)
	defer tick.Stop()
	line := make([]byte, 0, 256)
	for {
		line = append(line[:0], `data: {"id":"g","object":"chat.completion.chunk","created":1,"model":"bench/model","choices":[{"index":0,"delta":{"role":"assistant","content":"`...)
		line = strconv.AppendInt(line, time.Now().UnixNano(), 10)
		line = append(line, ` "},"finish_reason":null}]}`+"\n\n"...)
		if _, err := w.Write(line); err != nil || flush.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-over:
			_, _ = io.WriteString(w, `data: {"id":"g","object":"chat.completion.chunk","created":1,"model":"bench/model",`+
				`"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],`+
				`"usage":{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20}}`+"\n\ndata: [DONE]\n\n")
			return
		}
	}
}

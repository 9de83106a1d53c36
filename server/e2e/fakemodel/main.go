// Command fakemodel is the scripted model as a process of its own, for the Node suite beside it. Each model id has its own
// script, so that every session of a host can have one. The suite writes the scripts and holds answers over HTTP:
//
//	POST /script/MODEL      JSON list of openroutertest.Response, each with "hold": N to wait before its chunk N
//	GET  /reached/MODEL/N   answers once the held answer N, counted from 0, waits
//	POST /release/MODEL/N   lets it go on
//	GET  /requests/MODEL    the bodies of the requests so far, a JSON list
//
// It prints its address and serves until it is interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "fakemodel:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", l.Addr())
	hs := &http.Server{Handler: newProvider().handler()}
	stop := context.AfterFunc(ctx, func() { _ = hs.Close() }) // Serve reports it
	defer stop()
	if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

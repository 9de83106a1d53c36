package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// A callback waits on loopback for the browser that brings the code of a login. Its path is a secret of this login: no
// other page can know it. It takes one code, and shows a page on which nothing runs.
type callback struct {
	listener net.Listener
	server   *http.Server
	path     string
	answered chan answered // has room for one
	once     sync.Once
	served   chan struct{}
}

// answered is what the browser brings: a code, or why there is none.
type answered struct {
	code string
	err  error
}

func listenForCode(ctx context.Context) (*callback, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the browser: %w", err)
	}
	c := &callback{listener: l, path: "/callback/" + rand.Text(), answered: make(chan answered, 1), served: make(chan struct{})}
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() {
		defer close(c.served)
		_ = c.server.Serve(l) // ends with close
	}()
	return c, nil
}

func (c *callback) addr() string { return c.listener.Addr().String() }
func (c *callback) url() string  { return "http://" + c.addr() + c.path }

// ServeHTTP takes the first answer that comes to the right place.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Connection", "close")
	// Equal in constant time, and Host against a rebound name.
	if r.Host != c.addr() || subtle.ConstantTimeCompare([]byte(r.URL.Path), []byte(c.path)) != 1 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	got, q := answered{}, r.URL.Query()
	switch {
	case q.Get("code") != "":
		got.code = q.Get("code")
	case q.Get("error") != "":
		got.err = &hintedError{fmt.Errorf("the provider says no: %.100q", q.Get("error")), "try again, or: coder login --paste"}
	default:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte("There is no code in this address.\n"))
		return
	}
	first := false
	c.once.Do(func() { first = true })
	if !first {
		w.WriteHeader(http.StatusGone)
		_, _ = w.Write([]byte("This login is over.\n"))
		return
	}
	_, _ = w.Write([]byte("coder has got the answer. Close this page and look at the terminal.\n"))
	_ = http.NewResponseController(w).Flush() // a browser that has gone is no reason to refuse its code
	c.answered <- got
}

// wait returns the code that the browser brings.
func (c *callback) wait(ctx context.Context, most time.Duration) (string, error) {
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case got := <-c.answered:
		return got.code, got.err
	case <-late.C:
		return "", &hintedError{fmt.Errorf("no browser came back within %v", most), "try again; where no browser is: coder login --paste"}
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// close ends the listener. An answer that is under way to the browser gets a moment.
func (c *callback) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := c.server.Shutdown(ctx); err != nil {
		_ = c.server.Close()
	}
	<-c.served
}

// openBrowser opens the page with the user's own program, which gets no secret of the environment.
func openBrowser(page string, environ []string) error {
	argv := []string{"xdg-open", page}
	switch runtime.GOOS {
	case "darwin":
		argv = []string{"/usr/bin/open", page}
	case "windows":
		argv = []string{"rundll32.exe", "url.dll,FileProtocolHandler", page}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = withoutSecrets(environ)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("there is no %s to open a browser", argv[0])
		}
		return fmt.Errorf("opening a browser: %w", err)
	}
	return cmd.Process.Release()
}

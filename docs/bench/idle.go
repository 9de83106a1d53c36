//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"
)

// idleSockets is how many connections wait at a host that has nothing to do.
const idleSockets = 2000

// idle measures what a connection costs that does nothing: once with few sessions, of which each has as many sockets as
// it may, and once with many, so that the difference is what an idle agent costs. RSS is what users see, and is
// measured with the program as it is released; heap and stacks are told by the probe.
func (b *bench) idle(ctx context.Context) error {
	probed, err := buildProbed(ctx, b.work)
	if err != nil {
		return err
	}
	for _, sessions := range []int{40, 1000} {
		rss, _, err := b.idleHost(ctx, b.coder, sessions, false)
		if err != nil {
			return err
		}
		_, each, err := b.idleHost(ctx, probed, sessions, true)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%d idle connections on %d sessions, ", idleSockets, sessions)
		b.add(figure{what: what + "RSS each", unit: "KiB", limit: 40, coder: rss})
		b.add(figure{what: "  heap each, after a collection", unit: "KiB", coder: perSocket(each.Heap)})
		b.add(figure{what: "  stacks each", unit: "KiB", coder: perSocket(each.Stacks)})
		b.add(figure{what: "  goroutines each", coder: float64(each.Goroutines) / idleSockets})
	}
	return nil
}

func perSocket(bytes int64) float64 { return float64(bytes) / idleSockets / 1024 }

// idleHost starts a host and returns by how much it grows with the sockets: its RSS in KiB for each, and what the probe
// says of all.
func (b *bench) idleHost(ctx context.Context, program string, sessions int, probed bool) (rss float64, grown held, err error) {
	dataDir, err := os.MkdirTemp(b.work, "data-")
	if err != nil {
		return 0, grown, err
	}
	env := b.env(dataDir)
	if probed {
		env = append(env, "CODER_BENCH_PROBE="+dataDir)
	}
	host, err := startServer(ctx, b.work, env, program, "serve")
	if err != nil {
		return 0, grown, err
	}
	defer func() { err = errors.Join(err, host.stop()) }()
	if err := b.wakeHost(ctx, host, dataDir); err != nil {
		return 0, grown, err
	}
	var before held
	if probed {
		if before, err = probe(ctx, host, dataDir, 0); err != nil {
			return 0, grown, err
		}
	}
	empty, err := memory(host.cmd.Process.Pid, "VmRSS")
	if err != nil {
		return 0, grown, err
	}
	sockets, err := openSockets(ctx, host, dataDir, sessions, idleSockets)
	defer func() {
		for _, ws := range sockets {
			_ = ws.CloseNow() // the host is about to end
		}
	}()
	if err != nil {
		return 0, grown, err
	}
	full, err := memory(host.cmd.Process.Pid, "VmRSS")
	if err != nil {
		return 0, grown, err
	}
	if probed {
		after, err := probe(ctx, host, dataDir, 1)
		if err != nil {
			return 0, grown, err
		}
		grown = held{after.Heap - before.Heap, after.Stacks - before.Stacks, after.Goroutines - before.Goroutines}
	}
	return perSocket(full - empty), grown, b.keepProfiles(dataDir, fmt.Sprintf("idle-%d", sessions), probed)
}

// wakeHost makes the host do once what it does for each connection, so that what is made once is not counted.
func (b *bench) wakeHost(ctx context.Context, host *server, dataDir string) error {
	sockets, err := openSockets(ctx, host, dataDir, 1, 1)
	for _, ws := range sockets {
		err = errors.Join(err, ws.Close(websocket.StatusNormalClosure, ""))
	}
	return err
}

// keepProfiles copies what the probe wrote to where the user wants it.
func (b *bench) keepProfiles(dataDir, name string, probed bool) error {
	if b.profiles == "" || !probed {
		return nil
	}
	into := filepath.Join(b.profiles, name)
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	for _, file := range []string{"cpu", "0.heap", "1.heap", "0.goroutine", "1.goroutine"} {
		data, err := os.ReadFile(filepath.Join(dataDir, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(into, file), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// openSockets opens count sockets, spread over the sessions, and reads the frames with which each begins.
func openSockets(ctx context.Context, host *server, dataDir string, sessions, count int) ([]*websocket.Conn, error) {
	token, err := hostToken(dataDir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	sockets := make([]*websocket.Conn, count)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range sockets {
		group.Go(func() error {
			ws, err := openSocket(ctx, host, token, fmt.Sprintf("s%d", i%sessions), fmt.Sprintf("c%d", i))
			sockets[i] = ws
			return err
		})
	}
	err = group.Wait()
	open := sockets[:0]
	for _, ws := range sockets {
		if ws != nil {
			open = append(open, ws)
		}
	}
	return open, err
}

// openSocket opens one, as the Agents SDK does, and reads on to its last connect frame.
func openSocket(ctx context.Context, host *server, token, session, client string) (*websocket.Conn, error) {
	url := strings.Replace(host.url, "http:", "ws:", 1) + "/agents/coder-agent/" + session + "?_pk=" + client + "&token=" + token
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: dialer}})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(-1)
	for {
		_, data, err := ws.Read(ctx)
		if err != nil {
			return ws, err
		}
		if strings.HasPrefix(string(data), `{"type":"cf_agent_mcp_servers"`) {
			return ws, nil
		}
	}
}

// dialer keeps nothing for later: a socket is never used again.
var dialer = &http.Transport{DisableKeepAlives: true}

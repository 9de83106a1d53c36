package main

import (
	"bufio"
	"context"
	"os"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/rogpeppe/go-internal/testscript"
)

// pageCmd plays a page that speaks the Agents protocol: page SESSION FILE. A line of the file that begins with > is a
// frame to send; one that begins with < is waited for: a frame that holds each of its words. ! makes a file.
func pageCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: page SESSION FILE")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	host, ok, err := readHostFile(ts.Getenv("DATA"))
	ts.Check(err)
	if !ok {
		ts.Fatalf("no host runs")
	}
	conn, _, err := websocket.Dial(ctx, "ws://"+host.Addr+"/agents/coder-agent/"+args[0]+"?_pk=page&token="+host.Token, nil)
	ts.Check(err)
	defer conn.CloseNow()
	conn.SetReadLimit(-1)
	lines := bufio.NewScanner(strings.NewReader(strings.ReplaceAll(ts.ReadFile(args[1]), "$WORK", ts.Getenv("WORK"))))
	for lines.Scan() {
		deed, rest, _ := strings.Cut(lines.Text(), " ")
		switch deed {
		case ">":
			ts.Check(conn.Write(ctx, websocket.MessageText, []byte(rest)))
		case "!":
			ts.Check(os.WriteFile(ts.MkAbs(rest), nil, 0o600))
		case "<":
			if err := frameWith(ctx, conn, strings.Fields(rest)); err != nil {
				ts.Fatalf("waiting for %s: %v", rest, err)
			}
		}
	}
}

func frameWith(ctx context.Context, conn *websocket.Conn, words []string) error {
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		all := true
		for _, w := range words {
			all = all && strings.Contains(string(data), w)
		}
		if all {
			return nil
		}
	}
}

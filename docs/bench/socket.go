//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// socket measures a prompt to a session that is awake, over a socket that is open: what a person in a browser waits for
// besides the model.
func (b *bench) socket(ctx context.Context, host *server, dataDir string) error {
	if err := b.model.play(ctx, hello.replies); err != nil {
		return err
	}
	dir, err := hello.make(b.work)
	if err != nil {
		return err
	}
	if _, err := run(ctx, dir, b.env(dataDir), b.coder, "run", "--session", "warm", hello.prompt); err != nil {
		return err
	}
	token, err := hostToken(dataDir)
	if err != nil {
		return err
	}
	conn, _, err := websocket.Dial(ctx, strings.Replace(host.url, "http:", "ws:", 1)+"/agents/coder-agent/warm?token="+token, nil)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(16 << 20)
	var took []time.Duration
	for i := range 2*b.rounds + 1 {
		d, err := ask(ctx, conn, fmt.Sprintf("bench-%d", i))
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	b.add(figure{what: "warm prompt over an open socket, whole", unit: "ms", limit: 15, coder: median(took)})
	return conn.Close(websocket.StatusNormalClosure, "")
}

// ask sends one prompt as an Agents SDK client does and waits for the end of its turn.
func ask(ctx context.Context, conn *websocket.Conn, id string) (time.Duration, error) {
	body, err := json.Marshal(map[string]any{"messages": []any{map[string]any{
		"id": id, "role": "user", "parts": []any{map[string]any{"type": "text", "text": hello.prompt}},
	}}})
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	err = wsjson.Write(ctx, conn, map[string]any{
		"type": "cf_agent_use_chat_request", "id": id, "init": map[string]any{"method": "POST", "body": string(body)},
	})
	if err != nil {
		return 0, err
	}
	for {
		var frame struct {
			Type  string `json:"type"`
			ID    string `json:"id"`
			Body  string `json:"body"`
			Done  bool   `json:"done"`
			Error bool   `json:"error"`
		}
		if err := wsjson.Read(ctx, conn, &frame); err != nil {
			return 0, err
		}
		switch {
		case frame.Type != "cf_agent_use_chat_response" || frame.ID != id:
		case frame.Error:
			return 0, fmt.Errorf("the turn failed: %s", frame.Body)
		case frame.Done:
			return time.Since(begin), nil
		}
	}
}

// hostToken reads the token of the running host, as every client on this machine does.
func hostToken(dataDir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dataDir, "run", "host.json"))
	if err != nil {
		return "", err
	}
	var host struct {
		Token string `json:"token"`
	}
	err = json.Unmarshal(data, &host)
	return host.Token, err
}

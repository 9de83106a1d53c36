package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// slowClients begin what they do not end: headers and bodies that trickle. Each is cut off in bounded time.
func (s *siege) slowClients() {
	begun := time.Now()
	var conns []net.Conn
	for i := range 300 {
		conn := s.dial()
		conns = append(conns, conn)
		text := "GET /healthz HTTP/1.1\r\nHost: " + s.addr + "\r\nX-Slow: "
		if i%3 == 1 {
			text = "" // says nothing at all
		}
		_, err := io.WriteString(conn, text)
		s.must(err)
	}
	body := s.dial()
	conns = append(conns, body)
	_, err := io.WriteString(body, "POST /host/prune HTTP/1.1\r\nHost: "+s.addr+"\r\nAuthorization: Bearer "+s.token+"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	s.must(err)
	s.answers() // while they all wait
	for _, conn := range conns[:len(conns)-1] {
		s.must(conn.SetReadDeadline(begun.Add(12 * time.Second)))
		if _, err := io.Copy(io.Discard, conn); err != nil {
			s.errorf("a client that sends no whole header is not cut off: %v", err)
			break
		}
	}
	if took := time.Since(begun); took > 9*time.Second {
		s.errorf("clients that send no whole header are cut off after %s, want 5 s", took)
	}
	for _, conn := range conns {
		conn.Close()
	}
}

// deafReaders ask for much and read nothing of it.
func (s *siege) deafReaders() {
	p := s.join("deaf", nil)
	p.prompt("big", strings.Repeat("much ", 400_000)) // 2 MB in the transcript
	p.close()
	var conns []net.Conn
	for i := range 20 {
		w := s.raw("deaf", "")
		conns = append(conns, w.Conn)
		s.must(w.Conn.(*net.TCPConn).SetReadBuffer(4096))
		for n := range 10 {
			w.put(fin|opText, fmt.Appendf(nil, `{"type":"rpc","id":"%d-%d","method":"getMessages","args":[]}`, i, n))
		}
	}
	for range 20 {
		conn := s.dial()
		conns = append(conns, conn)
		s.must(conn.(*net.TCPConn).SetReadBuffer(4096))
		_, err := io.WriteString(conn, "GET /agents/coder-agent/deaf/get-messages HTTP/1.1\r\nHost: "+s.addr+"\r\nAuthorization: Bearer "+s.token+"\r\n\r\n")
		s.must(err)
	}
	s.answers()
	for _, conn := range conns {
		conn.Close()
	}
}

// halfOpen leaves sockets without a word: some are reset, some end in mid-frame, some in mid-handshake.
func (s *siege) halfOpen() {
	for i := range 100 {
		w := s.raw("half", "")
		switch i % 4 {
		case 0:
			s.must(w.Conn.(*net.TCPConn).SetLinger(0)) // a reset
		case 1:
			_, err := w.Write(header(fin|opText, 1000)[:3])
			s.must(err)
		case 2:
			w.put(opText, []byte(`{"type":`))
			s.must(w.Conn.(*net.TCPConn).CloseWrite())
		case 3:
			w.put(fin|opClose, []byte{0x03, 0xe8})
		}
		w.Close()
	}
	for range 100 {
		conn := s.dial()
		_, err := io.WriteString(conn, "GET /agents/coder-agent/half?token="+s.token+" HTTP/1.1\r\nHost: "+s.addr+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		s.must(err)
		conn.Close()
	}
}

// manySockets opens more than a session, and more than the host, may have.
func (s *siege) manySockets() {
	const most, mostOfSession = 4096, 64
	var open []net.Conn
	statuses := map[int]int{}
	for session := 0; len(open) < most+60 && session < 80; session++ {
		over := 2
		if session > 3 {
			over = 0
		}
		for range mostOfSession + over {
			w := s.raw(fmt.Sprintf("crowd-%d", session), "")
			statuses[w.response.StatusCode]++
			if w.response.StatusCode != http.StatusSwitchingProtocols {
				w.Close()
				continue
			}
			open = append(open, w.Conn)
		}
		if statuses[http.StatusServiceUnavailable] > 20 {
			break
		}
	}
	if statuses[101] != most-1 || statuses[429] != 8 || statuses[503] == 0 { // the witness has one
		s.errorf("the handshakes are answered %v, want %d times 101, 8 times 429 and then 503", statuses, most-1)
	}
	for _, conn := range open {
		conn.Close()
	}
}

// manySessions opens sessions one after the other, more than are kept in memory.
func (s *siege) manySessions() {
	const most = 1024
	var open []net.Conn
	statuses := map[int]int{}
	for i := range most + 200 {
		w := s.raw(fmt.Sprintf("name-%d", i), "")
		statuses[w.response.StatusCode]++
		if w.response.StatusCode != http.StatusSwitchingProtocols {
			w.Close()
			continue
		}
		open = append(open, w.Conn)
	}
	if statuses[101] > most || statuses[503] == 0 {
		s.errorf("the handshakes are answered %v, want at most %d times 101 and then 503", statuses, most)
	}
	for _, conn := range open {
		conn.Close()
	}
}

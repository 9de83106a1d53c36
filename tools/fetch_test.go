package tools

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/secret"
)

// names is a name server: each question for a name gets the next of its answers, and the last one from then on.
type names struct {
	mu      sync.Mutex
	answers map[string][]string
}

// resolver starts the server, and returns what asks it.
func (n *names) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		packet := make([]byte, 4096)
		for {
			size, from, err := conn.ReadFrom(packet)
			if err != nil {
				return // closed
			}
			if answer, err := n.answer(packet[:size]); err != nil {
				t.Error(err)
			} else if _, err := conn.WriteTo(answer, from); err != nil {
				t.Error(err)
			}
		}
	}()
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// set changes the answers for a name.
func (n *names) set(name string, addrs ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[name] = addrs
}

func (n *names) answer(question []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	m.Response, m.Additionals = true, nil
	q := m.Questions[0]
	n.mu.Lock()
	defer n.mu.Unlock()
	name := strings.TrimSuffix(q.Name.String(), ".")
	list, ok := n.answers[name]
	if !ok {
		m.RCode = dnsmessage.RCodeNameError
		return m.Pack()
	}
	addr := netip.MustParseAddr(list[0])
	head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
	switch {
	case q.Type == dnsmessage.TypeA && addr.Is4():
		m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: addr.As4()}}}
	case q.Type == dnsmessage.TypeAAAA && addr.Is6():
		m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}}}
	}
	if len(m.Answers) > 0 && len(list) > 1 {
		n.answers[name] = list[1:]
	}
	return m.Pack()
}

// aWeb is a server at site.example, and a fetcher that takes 127.0.0.1 for an address of the web and all others for what they
// are.
type aWeb struct {
	*fetcher
	base   string // http://site.example:PORT
	port   string
	asked  atomic.Int32
	dialed []netip.AddrPort // what was dialled besides 127.0.0.1
	mu     sync.Mutex
	names  *names
}

func newWeb(t *testing.T, serve http.HandlerFunc) *aWeb {
	t.Helper()
	w := &aWeb{names: &names{answers: map[string][]string{"site.example": {"127.0.0.1"}}}}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		serve(rw, r)
	}))
	t.Cleanup(server.Close)
	_, w.port, _ = net.SplitHostPort(server.Listener.Addr().String())
	w.base = "http://site.example:" + w.port
	real := webOnly(nil)
	w.fetcher = newFetcher(func(a netip.AddrPort) error {
		if a.Addr() == netip.MustParseAddr("127.0.0.1") {
			return nil
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.dialed = append(w.dialed, a)
		return real(a)
	}, w.names.resolver(t))
	return w
}

// say answers with a body of a type.
func say(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, body) // a client that goes away is part of the tests
	}
}

func to(location string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusFound)
	}
}

func input(where string) string {
	data, err := json.Marshal(map[string]string{"url": where})
	if err != nil {
		panic(err)
	}
	return string(data)
}

func TestN1AServerOnThisMachineIsNeverFetchedFrom(t *testing.T) {
	s := newSession(t)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	n := &names{answers: map[string][]string{"four.example": {"127.0.0.1"}, "six.example": {"::1"}, "mapped.example": {"::ffff:127.0.0.1"}}}
	f := newFetcher(webOnly(nil), n.resolver(t))
	for _, host := range []string{"four.example", "six.example", "mapped.example"} {
		contains(t, refused(t, s, f.run, input("http://"+host+":"+port+"/")), host, "never fetched from", "bash")
	}
	for _, host := range []string{"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "2130706433", "0x7f000001", "017700000001", "127.1", "0177.0.0.1", "0x7f.0.0.1"} {
		refused(t, s, f.run, input("http://"+host+":"+port+"/"))
	}
}

func TestN1OnlyAddressesOfTheWebAreDialled(t *testing.T) {
	check := webOnly(func() int { return 4096 })
	for _, addr := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "169.254.0.1",
		"100.64.0.1", "100.100.100.200", "100.127.255.255", "192.0.0.192", "168.63.129.16", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.88.99.1",
		"::1", "::", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "3fff::1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "100::1", "5f00::1", "4000::1",
	} {
		if err := check(netip.AddrPortFrom(netip.MustParseAddr(addr), 80)); err == nil {
			t.Errorf("%s is dialled", addr)
		}
	}
	for _, addr := range []string{"8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"} {
		if err := check(netip.AddrPortFrom(netip.MustParseAddr(addr), 443)); err != nil {
			t.Errorf("%s is not dialled: %v", addr, err)
		}
		if err := check(netip.AddrPortFrom(netip.MustParseAddr(addr), 4096)); err == nil {
			t.Errorf("%s is dialled at the port of the host", addr)
		}
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range own {
		if err := check(netip.AddrPortFrom(netip.MustParsePrefix(o.String()).Addr(), 80)); err == nil {
			t.Errorf("%s, an address of this machine, is dialled", o)
		}
	}
}

func TestN1TheDialledAddressDecides(t *testing.T) {
	s := newSession(t)
	for _, second := range []string{"10.0.0.1", "127.0.0.2", "169.254.169.254", "::1"} {
		w := newWeb(t, to("/again"))
		w.names.set("site.example", "127.0.0.1", second)
		contains(t, refused(t, s, w.run, input(w.base+"/")), "never fetched from", second)
		if len(w.dialed) == 0 || w.asked.Load() != 1 {
			t.Errorf("then %s: dialled %v, and %d requests, want one", second, w.dialed, w.asked.Load())
		}
	}
}

func TestN1ARedirectIsJudgedAsEveryURL(t *testing.T) {
	s := newSession(t)
	var where atomic.Value
	w := newWeb(t, func(rw http.ResponseWriter, r *http.Request) { to(where.Load().(string))(rw, r) })
	var targets []string
	for _, file := range []string{"attacks.jsonl", "more.jsonl"} {
		for _, c := range readCases(t, filepath.Join("..", "agent", "permission", "testdata", file)) {
			var a struct{ URL string }
			if c.Tool != "fetch" || len(c.Setup) > 0 || c.Mode != "ask" || c.Expect != permission.Deny {
				continue
			}
			if err := json.Unmarshal(c.Args, &a); err != nil {
				t.Fatal(err)
			}
			if u, err := url.Parse(a.URL); err == nil && u.IsAbs() && !strings.ContainsFunc(a.URL, func(r rune) bool { return r > 0x7e }) {
				targets = append(targets, a.URL)
			}
		}
	}
	if len(targets) < 25 {
		t.Fatalf("only %d cases: %v", len(targets), targets)
	}
	for _, target := range targets {
		where.Store(target)
		contains(t, refused(t, s, w.run, input(w.base+"/?"+url.QueryEscape(target))), "redirects to")
	}
	if len(w.dialed) > 0 {
		t.Errorf("dialled %v", w.dialed)
	}
}

func TestN1ARedirectToAnotherHostIsReported(t *testing.T) {
	s := newSession(t)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") }))
	defer other.Close()
	_, otherPort, _ := net.SplitHostPort(other.Listener.Addr().String())
	for _, target := range []string{"http://other.example/x?y=z", "//other.example/x", "http://site.example:" + otherPort + "/", "https://site.example/", "http://sub.site.example/"} {
		w := newWeb(t, to(target))
		got := must(t, s, w.run, input(w.base+"/"))
		contains(t, got, "302 Found "+w.base+"/", strings.TrimPrefix(target, "//"), "on another host", "was not followed", "call fetch with its URL")
		if len(w.dialed) > 0 {
			t.Errorf("%s: dialled %v", target, w.dialed)
		}
	}
	if why := elsewhere("site.example", "https://site.example/", "http://site.example/"); why == "" {
		t.Error("a redirect that gives up encryption is followed")
	}
}

func TestN1FiveRedirectsAreFollowed(t *testing.T) {
	s := newSession(t)
	w := newWeb(t, func(rw http.ResponseWriter, r *http.Request) {
		if left := strings.TrimPrefix(r.URL.Path, "/"); left != "" {
			to("/"+left[1:])(rw, r)
			return
		}
		say("text/plain", "arrived")(rw, r)
	})
	contains(t, must(t, s, w.run, input(w.base+"/aaaaa")), "200 OK "+w.base+"/ (", "arrived")
	contains(t, refused(t, s, w.run, input(w.base+"/aaaaaa")), "after 5 redirects")
}

func TestN1NothingOfTheUserIsSent(t *testing.T) {
	s := newSession(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	var got []http.Header
	w := newWeb(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("the method is %s", r.Method)
		}
		got = append(got, r.Header.Clone())
		rw.Header().Set("Set-Cookie", "a=b; Path=/")
		if r.URL.Path == "/" {
			to("/b")(rw, r)
			return
		}
		say("text/plain", "b")(rw, r)
	})
	must(t, s, w.run, input(w.base+"/#part"))
	want := []string{"Accept", "Accept-Encoding", "Connection", "User-Agent"}
	for _, h := range got {
		var names []string
		for name := range h {
			names = append(names, name)
		}
		slices.Sort(names)
		if !slices.Equal(names, want) || h.Get("User-Agent") != "coder" {
			t.Errorf("the request has the headers %v", h)
		}
	}
	if len(got) != 2 {
		t.Errorf("%d requests, want 2", len(got))
	}
}

func TestN1APageHasBounds(t *testing.T) {
	s := newSession(t)
	line := strings.Repeat("x", 99) + "\n"
	t.Run("one that never ends", func(t *testing.T) {
		gone := make(chan struct{})
		w := newWeb(t, func(rw http.ResponseWriter, r *http.Request) {
			defer close(gone)
			rw.Header().Set("Content-Type", "text/plain")
			for {
				if _, err := io.WriteString(rw, line); err != nil {
					return
				}
			}
		})
		got := must(t, s, w.run, input(w.base+"/"))
		first, last, _ := strings.Cut(got, "\n")
		contains(t, first+last[len(last)-200:], "(text/plain, 5120 KB, cut there: it is longer)", "(cut here: 307 lines of 52,429; all 5120 KB are in "+s.scratch)
		<-gone
		kept := regexp.MustCompile(`are in (.*)\)$`).FindStringSubmatch(got)
		if data, err := os.ReadFile(kept[1]); err != nil || len(data) != maxPage {
			t.Errorf("%s has %d bytes: %v", kept[1], len(data), err)
		}
		if len(got) > maxBytes+500 {
			t.Errorf("the model gets %d bytes", len(got))
		}
	})
	t.Run("one that inflates", func(t *testing.T) {
		w := newWeb(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			rw.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(rw)
			zeros := strings.Repeat("0", 1<<20)
			for range 200 {
				if _, err := io.WriteString(z, zeros); err != nil {
					return
				}
			}
			_ = z.Close() // the client is long gone
		})
		res, err := do(t, s, w.run, input(w.base+"/"))
		if err != nil {
			t.Fatal(err)
		}
		if d := res.Details.(fetchDetails); d.Bytes != maxPage {
			t.Errorf("%d bytes came, want %d", d.Bytes, maxPage)
		}
		first, last, _ := strings.Cut(res.Text, "\n")
		contains(t, first+last[len(last)-300:], "cut there", "0000\n(cut here: 1 line of 1; ")
	})
	t.Run("one with endless headers", func(t *testing.T) {
		w := newWeb(t, func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("X", strings.Repeat("x", 128<<10)) })
		contains(t, refused(t, s, w.run, input(w.base+"/")), "could not be reached")
	})
	t.Run("one that is slow", func(t *testing.T) {
		w := newWeb(t, func(rw http.ResponseWriter, r *http.Request) {
			say("text/plain", "begins")(rw, r)
			rw.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		w.within = 300 * time.Millisecond
		contains(t, refused(t, s, w.run, input(w.base+"/")), "did not answer in full within 300ms", "try again later")
	})
	t.Run("one that breaks off", func(t *testing.T) {
		w := newWeb(t, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Length", "1000")
			say("text/plain", "begins")(rw, r)
		})
		contains(t, refused(t, s, w.run, input(w.base+"/")), "broke off after 6 bytes", "try again")
	})
	t.Run("with a deep nest", func(t *testing.T) {
		w := newWeb(t, say("text/html", strings.Repeat("<div>", 600)+"deep"))
		contains(t, refused(t, s, w.run, input(w.base+"/")), "HTML that cannot be read", "look for another page")
	})
}

func TestFetchEndsWithItsCall(t *testing.T) {
	s := newSession(t)
	begun := make(chan struct{})
	w := newWeb(t, func(rw http.ResponseWriter, r *http.Request) {
		say("text/plain", "begins")(rw, r)
		rw.(http.Flusher).Flush()
		close(begun)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("the user has cancelled")
	go func() {
		<-begun
		cancel(stopped)
	}()
	if _, err := w.run(ctx, s, fetchArgs{URL: w.base + "/"}); !errors.Is(err, stopped) {
		t.Errorf("err = %v, want %v", err, stopped)
	}
}

func TestFetchShowsTextOfAnyKind(t *testing.T) {
	s := newSession(t)
	var kind, body string
	w := newWeb(t, func(rw http.ResponseWriter, r *http.Request) { say(kind, body)(rw, r) })
	tests := []struct {
		name, kind, body string
		want             []string
	}{
		{"text as it is", "text/plain; charset=utf-8", "# a\n<b>*c*</b>", []string{`(text/plain, 14 bytes)`, "\n\n# a\n<b>*c*</b>"}},
		{"markdown as it is", "text/markdown", "# a", []string{"(text/markdown, ", "# a"}},
		{"JSON as it is", "application/json", `{"a":[1]}`, []string{`{"a":[1]}`}},
		{"a feed as it is", "application/atom+xml", "<feed/>", []string{"<feed/>"}},
		{"text that is called data", "application/octet-stream", "plain words", []string{"(text/plain, ", "plain words"}},
		{"an unknown type that is text", "application/x-sh", "echo hi", []string{"echo hi"}},
		{"nothing", "text/plain", "", []string{"(text/plain, 0 bytes)", "(empty)"}},
		{"what cannot be seen", "text/plain", "a\u200bb\u202ec\x1b[31md\x1b]0;t\ae\U000E0041", []string{`a\u200bb\u202ecde\U000e0041`}},
		{"late UTF-8", "text/plain", strings.Repeat("a", 2000) + "é", []string{"aé"}},
		{"a charset of the header", "text/plain; charset=iso-8859-1", "caf\xe9", []string{"café"}},
		{"a charset of the page", "text/html", "<meta charset=shift_jis><p>\x93\xfa\x96\x7b", []string{"日本"}},
		{"a byte order mark", "text/plain", "\xff\xfeh\x00i\x00", []string{"\n\nhi"}},
		{"a charset by its looks", "text/plain", "caf\xe9 au lait", []string{"café au lait"}},
		{"HTML without a type", "", "<!doctype html><h1>H</h1>", []string{"(text/html, ", "# H"}},
		{"a page of scripts", "text/html", "<title>App</title><script>go()</script>", []string{`"App"`, "made by scripts"}},
		{"a title with tricks", "text/html", "<title>a\n\u202eb</title>x", []string{`"a b"`}},
	}
	for i, tt := range tests {
		kind, body = tt.kind, tt.body
		got := must(t, s, w.run, input(fmt.Sprintf("%s/%d", w.base, i)))
		contains(t, got, append(tt.want, fmt.Sprintf("200 OK %s/%d", w.base, i))...)
	}
	for i, tt := range []struct{ name, kind, body, want string }{
		{"an image", "image/png", "x", "is image/png, 1 byte: no text to show"},
		{"an image that is called text", "text/html", "\x89PNG\r\n\x1a\n\x00\x00", "is image/png"},
		{"data", "application/octet-stream", "\x00\x01\x02\xff", "is application/octet-stream, 4 bytes"},
		{"a PDF", "application/pdf", "%PDF-1.7", "is application/pdf"},
		{"an archive of an unknown type", "application/x-thing", "PK\x03\x04\x00\x00", "is application/zip"},
	} {
		kind, body = tt.kind, tt.body
		contains(t, refused(t, s, w.run, input(fmt.Sprintf("%s/no%d", w.base, i))), tt.want, "curl -o")
	}
}

func TestFetchTurnsHTMLIntoMarkdown(t *testing.T) {
	s := newSession(t)
	w := newWeb(t, say("text/html", `<!doctype html><title> The
 title </title><style>x{}</style><nav>menu</nav><h1>Head</h1>
<p>a &lt; b &amp;&amp; c_d <a href="../c?x=1#f">link</a> <a href="javascript:x()">act</a> <code>x&lt;y</code><img src="data:image/png;base64,AAAA"> <img src="i.png" alt="pic"></p>
<pre><code class="language-go">func a() {
	x &lt; 1
}</code></pre>
<table><tr><th>A<th>B<tr><td>1<td>2</table>
<ul><li>one</ul><ol><li>first</ol>
<p hidden>unseen</p><p style="display: none">unseen</p><!-- unseen --><script>unseen()</script><footer>foot</footer>`))
	want := `200 OK ` + w.base + `/a/b "The title" (text/html, 531 bytes)

# Head

a < b && c_d [link](` + w.base + `/c?x=1#f) act ` + "`x<y`" + ` ![pic](` + w.base + `/a/i.png)

` + "```go\nfunc a() {\n\tx < 1\n}\n```" + `

| A | B |
|---|---|
| 1 | 2 |

- one

1. first`
	if got := must(t, s, w.run, input(w.base+"/a/b#c")); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	main := strings.Repeat("The main part. ", 20)
	w = newWeb(t, say("text/html", "<div>around</div><main>"+main+"</main><div>around</div>"))
	if got := must(t, s, w.run, input(w.base+"/")); strings.Contains(got, "around") || !strings.Contains(got, "main part") {
		t.Errorf("the main part is %s", got)
	}
}

func TestFetchSaysWhatAServerRefuses(t *testing.T) {
	s := newSession(t)
	for code, want := range map[int]string{
		404: "answered 404 Not Found; check the URL", 403: "answered 403 Forbidden; it wants a login", 429: "try again later", 503: "try again later", 304: "answered 304 Not Modified",
	} {
		w := newWeb(t, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "text/html")
			rw.WriteHeader(code)
			_, _ = io.WriteString(rw, "<p>no <b>luck</b>"+strings.Repeat(" x", 5000)) // 304 has no body
		})
		got := refused(t, s, w.run, input(w.base+"/p"))
		contains(t, got, w.base+"/p", want)
		if code != 304 {
			contains(t, got, "The server says:\nno **luck**")
		}
		if len(got) > 2500 {
			t.Errorf("%d: %d bytes for the model", code, len(got))
		}
	}
	w := newWeb(t, say("text/plain", ""))
	contains(t, refused(t, s, w.run, input("http://none.example/")), "there is no host none.example", "check its name")
	contains(t, refused(t, s, w.run, input("http://site.example:1/")), "could not be reached", "check the URL")
	secure := httptest.NewUnstartedServer(say("text/plain", ""))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	_, port, _ := net.SplitHostPort(secure.Listener.Addr().String())
	contains(t, refused(t, s, w.run, input("https://site.example:"+port+"/")), "does not prove that it is site.example")
}

func TestN2AHostIsASCII(t *testing.T) {
	for in, want := range map[string]string{
		"https://bücher.example/ä?q=ü":       "https://xn--bcher-kva.example/%C3%A4?q=ü",
		"https://\u0435xample.com:8443/":     "https://xn--xample-2of.com:8443/",
		"https://example.com/ü":              "",
		"http://\uff11\uff12\uff17.0.0.1/":   "", // it is 127.0.0.1
		"https://user:pass@bücher.example/x": "",
		"https://b\u00fc\u0000cher.example/": "",
	} {
		if got := inASCII(in); got != want {
			t.Errorf("inASCII(%q) = %q, want %q", in, got, want)
		}
	}
	s := newSession(t)
	contains(t, refused(t, s, newFetcher(webOnly(nil), nil).run, input("https://bücher.example/")), "letters outside ASCII", "call again with https://xn--bcher-kva.example/")
}

func TestFetchRemembersAPageForItsSession(t *testing.T) {
	s, other := newSession(t), newSession(t)
	w := newWeb(t, say("text/plain", "page"))
	now := time.Now()
	w.pages.now = func() time.Time { return now }
	asks := func(s *fakeSession, where string, want int32) string {
		t.Helper()
		got := must(t, s, w.run, input(where))
		if n := w.asked.Load(); n != want {
			t.Errorf("%d requests, want %d", n, want)
		}
		return got
	}
	asks(s, w.base+"/a", 1)
	now = now.Add(14 * time.Minute)
	contains(t, asks(s, w.base+"/a#part", 1), "fetched 14 minutes ago", "page")
	asks(other, w.base+"/a", 2)
	asks(s, w.base+"/b", 3)
	now = now.Add(2 * time.Minute)
	asks(s, w.base+"/a", 4)
	asks(s, w.base+"/b", 4)
}

func TestThePageCacheHasBounds(t *testing.T) {
	now := time.Now()
	c := newPageCache(func() time.Time { return now })
	for i := range 3 * cachePages {
		c.put("s", fmt.Sprint(i), page{text: strings.Repeat("x", 1000)})
	}
	if len(c.kept) > cachePages {
		t.Errorf("%d pages are kept", len(c.kept))
	}
	for i := range 20 {
		c.put("s", fmt.Sprint("big", i), page{text: strings.Repeat("x", cacheBytes/5)})
	}
	c.put("s", "huge", page{text: strings.Repeat("x", cacheBytes)})
	size := 0
	for _, k := range c.kept {
		size += len(k.page.text)
	}
	if size > cacheBytes || size != c.bytes {
		t.Errorf("%d bytes are kept, counted as %d", size, c.bytes)
	}
	if _, _, ok := c.get("s", "big19"); !ok {
		t.Error("the newest page is forgotten")
	}
	now = now.Add(keepPage)
	if c.get("s", "big19"); len(c.kept) > 0 || c.bytes != 0 {
		t.Errorf("%d old pages, %d bytes are kept", len(c.kept), c.bytes)
	}
}

func TestFetchKeepsNoSecretInAFile(t *testing.T) {
	s := newSession(t)
	s.secrets = new(secret.Set)
	s.secrets.AddKey("key", "sk-or-v1-0123456789abcdef")
	w := newWeb(t, say("text/plain", strings.Repeat("line sk-or-v1-0123456789abcdef\n", 2000)))
	got := must(t, s, w.run, input(w.base+"/"))
	files, err := filepath.Glob(filepath.Join(s.scratch, "fetch-*.txt"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{got, string(data)} {
		if strings.Contains(text, "0123456789abcdef") {
			t.Errorf("the key is in %.200s", text)
		}
	}
}

package tools

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
)

// Bounds of one page.
const (
	maxPage      = 5 << 20 // bytes, inflated
	maxRedirects = 5
	fetchTime    = 30 * time.Second // for all of it
	maxRefusal   = 2000             // characters of what a server says to an error
)

// errSlow is the cause that ends a page which takes too long.
var errSlow = errors.New("the time is up")

// A fetcher gets pages of the web. It has no cookies, no proxies and no credentials, and follows no redirect by itself.
type fetcher struct {
	transport *http.Transport
	within    time.Duration
	pages     *pageCache
	room      chan struct{} // has a place for each page that is made text at a time: a hostile one takes memory and seconds
}

// newFetcher returns a fetcher that dials what check allows: the very address, after the one resolution that there is. names
// nil is the system's resolver.
func newFetcher(check func(netip.AddrPort) error, names *net.Resolver) *fetcher {
	dialer := &net.Dialer{
		Timeout: 10 * time.Second, Resolver: names,
		Control: func(_, address string, _ syscall.RawConn) error {
			addr, err := netip.ParseAddrPort(address)
			if err == nil {
				err = check(addr)
			}
			if err != nil {
				return &addrError{err}
			}
			return nil
		},
	}
	return &fetcher{
		transport: &http.Transport{
			DialContext: dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10, TLSHandshakeTimeout: 10 * time.Second,
		},
		within: fetchTime, pages: newPageCache(time.Now), room: make(chan struct{}, 2),
	}
}

// An addrError says that a name led to an address that is not dialled.
type addrError struct{ err error }

func (e *addrError) Error() string { return e.err.Error() }
func (e *addrError) Unwrap() error { return e.err }

// webOnly checks that an address is of the web, none of this machine's own, and not at the port of the host, which might be
// reachable by a public address that the machine does not know of.
func webOnly(port func() int) func(netip.AddrPort) error {
	return func(a netip.AddrPort) error {
		if err := permission.CheckAddr(a.Addr()); err != nil {
			return err
		}
		if port != nil && int(a.Port()) == port() {
			return fmt.Errorf("port %d is coder's own", a.Port())
		}
		own, err := net.InterfaceAddrs()
		if err != nil {
			return fmt.Errorf("looking up this machine's addresses: %w", err)
		}
		for _, o := range own {
			if prefix, err := netip.ParsePrefix(o.String()); err == nil && prefix.Addr().Unmap() == a.Addr().Unmap() {
				return fmt.Errorf("%s is an address of this machine", a.Addr())
			}
		}
		return nil
	}
}

// get fetches a page. Redirects on its host are followed; one that leads elsewhere is what it returns, so that the policy
// judges the next call.
func (f *fetcher) get(ctx context.Context, where string) (page, error) {
	host, err := permission.WebHost(where)
	if err != nil {
		return page{}, err
	}
	limited, stop := context.WithTimeoutCause(ctx, f.within, errSlow)
	defer stop()
	p, err := f.follow(limited, host, where)
	switch {
	case err == nil:
		return p, nil
	case ctx.Err() != nil:
		return page{}, context.Cause(ctx)
	case limited.Err() != nil:
		return page{}, fmt.Errorf("%s did not answer in full within %s; try again later, or another page", where, f.within)
	}
	return page{}, err
}

func (f *fetcher) follow(ctx context.Context, host, where string) (page, error) {
	for range maxRedirects + 1 {
		resp, err := f.ask(ctx, where)
		if err != nil {
			return page{}, unreached(where, err)
		}
		if !redirects(resp) {
			defer resp.Body.Close()
			return f.received(ctx, resp, where)
		}
		status := resp.StatusCode
		next, err := target(where, resp)
		_ = resp.Body.Close() // of no use
		if err != nil {
			return page{}, err
		}
		if why := elsewhere(host, where, next); why != "" {
			return page{url: where, status: status, text: fmt.Sprintf("It leads to %s, %s, which was not followed. If that page is wanted, call fetch with its URL.", next, why)}, nil
		}
		where = next
	}
	return page{}, fmt.Errorf("%s still redirects after %d redirects; look for another page", where, maxRedirects)
}

// ask sends one request.
func (f *fetcher) ask(ctx context.Context, where string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "coder")
	req.Header.Set("Accept", "text/markdown, text/html;q=0.9, text/plain;q=0.9, application/json;q=0.9, */*;q=0.5")
	return f.transport.RoundTrip(req)
}

// unreached says why there was no answer, and what to do.
func unreached(where string, err error) error {
	host := where
	if u, parsed := url.Parse(where); parsed == nil {
		host = u.Host
	}
	if refused, ok := errors.AsType[*addrError](err); ok {
		return fmt.Errorf("%s leads to an address that is never fetched from: %w; a server of this machine or its network can be asked by bash alone (curl with network: true, which asks the user)", host, refused)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return fmt.Errorf("there is no host %s; check its name, or look for another page", host)
		}
		return fmt.Errorf("the name of %s could not be resolved: the machine may be offline; go on without the page, or ask the user", host)
	}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("%s does not prove that it is %s: %w; look for another page", host, host, bad)
	}
	return fmt.Errorf("%s could not be reached: %s; check the URL, or look for another page", host, plain.VisibleLine(err.Error(), 300))
}

func redirects(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// target is where an answer redirects to. It is judged as every URL is.
func target(where string, resp *http.Response) (string, error) {
	given := resp.Header.Get("Location")
	shown := plain.VisibleLine(given, 500)
	base, err := url.Parse(where)
	if err != nil {
		return "", err
	}
	to, err := base.Parse(given)
	if err != nil || len(given) > 8<<10 {
		return "", fmt.Errorf("%s redirects to what is no URL: %s; look for another page", where, shown)
	}
	to.Fragment, to.RawFragment = "", ""
	next := to.String()
	if ascii := inASCII(next); ascii != "" {
		next = ascii
	}
	if _, err := permission.WebHost(next); err != nil {
		return "", fmt.Errorf("%s redirects to %s, which is never fetched: %w; look for another page", where, shown, err)
	}
	return next, nil
}

// elsewhere says why a redirect is not followed, or "".
func elsewhere(host, where, next string) string {
	to, err := permission.WebHost(next)
	switch {
	case err != nil || to != host:
		return "on another host"
	case strings.HasPrefix(strings.ToLower(where), "https:") && strings.HasPrefix(strings.ToLower(next), "http:"):
		return "without encryption"
	}
	return ""
}

// received reads the answer.
func (f *fetcher) received(ctx context.Context, resp *http.Response, where string) (page, error) {
	p := page{url: where, status: resp.StatusCode, kind: mediaType(resp.Header.Get("Content-Type"))}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return p, refusal(p, resp)
	}
	if coding := resp.Header.Get("Content-Encoding"); coding != "" {
		return p, fmt.Errorf("%s is compressed as %s, which was not asked for; look for another page", where, plain.VisibleLine(coding, 50))
	}
	if unreadable(p.kind) {
		return p, &binaryError{where, p.kind, resp.ContentLength}
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	if err != nil {
		return p, fmt.Errorf("%s broke off after %s: %s; try again, or look for another page", where, byteCount(int64(len(data))), plain.VisibleLine(err.Error(), 200))
	}
	if p.cut = len(data) > maxPage; p.cut {
		data = data[:maxPage]
	}
	p.bytes = len(data)
	select {
	case f.room <- struct{}{}:
		defer func() { <-f.room }()
		return p.filled(data, resp.Header.Get("Content-Type"))
	case <-ctx.Done():
		return p, context.Cause(ctx)
	}
}

// refusal says what a server has answered instead of a page, and what to do.
func refusal(p page, resp *http.Response) error {
	next := "look for another page"
	switch {
	case p.status == http.StatusNotFound || p.status == http.StatusGone:
		next = "check the URL, or look for another page"
	case p.status == http.StatusUnauthorized || p.status == http.StatusForbidden:
		next = "it wants a login, or no programs; look for another page, or ask the user"
	case p.status == http.StatusTooManyRequests || p.status >= 500:
		next = "try again later, or look for another page"
	}
	said := ""
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if full, bad := p.filled(data, resp.Header.Get("Content-Type")); err == nil && bad == nil && strings.TrimSpace(full.text) != "" && len(data) > 0 {
		said = "\nThe server says:\n" + plain.Clip(full.text, maxRefusal)
	}
	return fmt.Errorf("%s answered %s; %s%s", p.url, status(p.status), next, said)
}

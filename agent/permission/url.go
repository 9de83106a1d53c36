package permission

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

const maxQuery = 200 // bytes of a query that need not be shown in full

// judgeURL judges what is fetched by its URL. What its host resolves to is for the one who dials.
func (p Policy) judgeURL(row row, c Call) Verdict {
	check, tool := checkURL, "fetch"
	if c.Chosen {
		check, tool = url.Parse, c.Tool
	}
	u, err := check(c.URL)
	if err != nil {
		return Verdict{Decision: Deny, Reason: err.Error()}
	}
	host := hostOf(u)
	rule := func(d Decision) (Rule, bool) {
		i := slices.IndexFunc(p.Rules, func(r Rule) bool { return r.Decision == d && r.Tool == tool && matchHost(r.Pattern, host) })
		if i < 0 {
			return Rule{}, false
		}
		return p.Rules[i], true
	}
	if r, ok := rule(Deny); ok {
		return Verdict{Decision: Deny, Reason: fmt.Sprintf("the rule %q (%s) forbids it", r, r.From)}
	}
	v := p.plain(row, Network)
	if v.Decision == Deny {
		return v
	}
	if r, ok := rule(Ask); ok {
		return Verdict{Decision: Ask, Reason: fmt.Sprintf("the rule %q (%s) wants it asked", r, r.From)}
	}
	if _, ok := rule(Allow); ok || v.Decision == Allow {
		return Verdict{Decision: Allow}
	}
	v.Always = offer(fmt.Sprintf("allow %s(%s)", tool, host))
	if c.Chosen {
		v.Reason = fmt.Sprintf("what it asks goes to %s", host)
		return v
	}
	v.Reason = fmt.Sprintf("it is the first visit of %s", host)
	if len(u.RawQuery) > maxQuery {
		v.Reason += fmt.Sprintf(", with %d bytes of query: %s", len(u.RawQuery), u.String())
	}
	return v
}

// WebHost returns the host of a URL as fetch rules write it. The error says why such a URL is never fetched.
func WebHost(raw string) (string, error) {
	u, err := checkURL(raw)
	if err != nil {
		return "", err
	}
	return hostOf(u), nil
}

// CheckAddr refuses an address that is not of the web. A name that was judged may lead anywhere by the time it is dialled.
func CheckAddr(a netip.Addr) error {
	if why := badAddr(a); why != "" {
		return fmt.Errorf("%s %s", a, why)
	}
	return nil
}

// checkURL refuses what is not an address of the web, or is one of this machine or its network.
func checkURL(raw string) (*url.URL, error) {
	if i := strings.IndexFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' || invisible(r) }); i >= 0 {
		return nil, fmt.Errorf("the URL has a blank, a backslash or an invisible character at byte %d", i)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the URL cannot be read")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the URL has the scheme %q; only http and https are fetched", u.Scheme)
	case u.User != nil:
		return nil, errors.New("the URL has a user name in it, which hides where it leads")
	case u.Opaque != "" || u.Hostname() == "":
		return nil, errors.New("the URL has no host")
	}
	if why := badHost(u.Hostname()); why != "" {
		return nil, fmt.Errorf("the host %q %s", u.Hostname(), why)
	}
	return u, nil
}

var localNames = []string{"localhost", "local", "internal", "localdomain", "home.arpa", "lan", "intranet", "corp", "home", "onion", "test", "invalid"}

// badHost says why a host is not one of the web.
func badHost(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		return badAddr(addr)
	}
	labels := strings.Split(host, ".")
	last := labels[len(labels)-1]
	switch {
	case strings.ContainsFunc(host, func(r rune) bool { return r > 0x7e }):
		return "has letters outside ASCII; write it in its xn-- form"
	case strings.ContainsFunc(host, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-._", r)
	}) || slices.Contains(labels, "") || len(host) > 253:
		return "is no name of a host"
	case isNumber(last) || strings.HasPrefix(last, "0x"):
		return "is an address written in an unusual way"
	case slices.ContainsFunc(localNames, func(n string) bool { return host == n || strings.HasSuffix(host, "."+n) }):
		return "is on this machine or its network"
	case len(labels) == 1:
		return "is a name of this network"
	}
	return ""
}

var notOfTheWeb = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
	netip.MustParsePrefix("fec0::/10"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("3fff::/20"),
	netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("168.63.129.16/32"), // 6to4 relays; the metadata of Azure
}

// web6 is all of IPv6 that is given to the web.
var web6 = netip.MustParsePrefix("2000::/3")

func badAddr(a netip.Addr) string {
	if a.Zone() != "" {
		return "is an address of this network"
	}
	a = a.Unmap()
	if a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsMulticast() ||
		a.IsInterfaceLocalMulticast() || a.IsUnspecified() || !a.IsValid() || a.Is6() && !web6.Contains(a) ||
		slices.ContainsFunc(notOfTheWeb, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return "is an address of this machine or its network"
	}
	return ""
}

// hostOf is how rules write the host of a URL: lower case, with a port that is not the usual one.
func hostOf(u *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	switch port := u.Port(); {
	case port == "", u.Scheme == "http" && port == "80", u.Scheme == "https" && port == "443":
		return host
	default:
		return host + ":" + port
	}
}

// parseHost reads the pattern of a fetch rule: a host, or *. and a host for all below it.
func parseHost(pattern string) (rest string, err error) {
	if rest, err = anyHost(pattern); err == nil {
		u := url.URL{Host: rest}
		if why := badHost(u.Hostname()); why != "" {
			return "", fmt.Errorf("the host %q %s; it is never fetched from", u.Hostname(), why)
		}
	}
	return rest, err
}

// anyHost is parseHost for hosts that the user's config names: they may be of this machine.
func anyHost(pattern string) (rest string, err error) {
	rest = strings.TrimPrefix(pattern, "*.")
	u, err := url.Parse("https://" + rest + "/")
	switch {
	case err != nil, u.User != nil, u.Hostname() == "", u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return "", errors.New("the pattern is a host such as example.com, or *.example.com for all below it")
	case strings.ToLower(rest) != rest:
		return "", errors.New("a host is written in lower case")
	}
	return rest, nil
}

// matchHost compares label by label: *.example.com is a.example.com and not evilexample.com.
func matchHost(pattern, host string) bool {
	if rest, ok := strings.CutPrefix(pattern, "*."); ok {
		return strings.HasSuffix(host, "."+rest)
	}
	return host == pattern
}

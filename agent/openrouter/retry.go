package openrouter

import (
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of the waits between attempts.
const (
	firstWait   = time.Second
	longestWait = 30 * time.Second // of our own choice
	// longestAsked is the longest Retry-After that is waited for. Beyond it the user is better told.
	longestAsked = 2 * time.Minute
)

// mostEmpty is how often an empty answer is asked for again.
const mostEmpty = 2

// A retry decides whether and when a failed request is sent again.
type retry struct {
	most   int // attempts in all
	sent   int
	empty  int
	absent int // 503 without a word on when to come back
}

func newRetry(most int) *retry { return &retry{most: most, sent: 1} }

// next counts the attempt that comes now.
func (r *retry) next() int {
	r.sent++
	r.most = max(r.most, r.sent)
	return r.sent
}

// after returns how long to wait before the next attempt, or false when there is to be none.
func (r *retry) after(e *Error) (time.Duration, bool) {
	if r.sent >= r.most || !e.Retryable() {
		return 0, false
	}
	if e.kind == emptyAnswer {
		if r.empty++; r.empty > mostEmpty {
			return 0, false
		}
	}
	// OpenRouter says 503 when no provider fits the request. Unless it says that this will pass, once more is enough.
	if e.Status == http.StatusServiceUnavailable && e.RetryAfter == 0 && e.availability == nil {
		if r.absent++; r.absent > 1 {
			return 0, false
		}
	}
	if e.RetryAfter > 0 {
		return e.RetryAfter, true
	}
	wait := min(firstWait<<min(r.sent-1, 10), longestWait)
	return wait/2 + rand.N(wait), true // 50 to 150 %: clients that failed together must not come back together
}

// A change is what a request that was refused as it stood is sent again with, each at most once.
type change struct {
	maxTokens int  // 0: the provider's own bound
	plain     bool // without the reasoning of earlier steps
	blind     bool // without pictures
}

// leastAffordable is the smallest answer, in tokens, that is worth asking for when credits run out.
const leastAffordable = 1024

// affordable finds the number in OpenRouter's "requires more credits, or fewer max_tokens ... can only afford 4000".
// Compiled when first needed: every start of the binary would pay for it.
var affordable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`can only afford (\d+)`) })

// mend changes the request so that the server may take it, and says what it changed; "" if there is nothing to mend.
func (s *stream) mend(e *Error) string {
	switch {
	case e.Status == http.StatusPaymentRequired && s.change.maxTokens == 0:
		m := affordable().FindStringSubmatch(e.Message)
		if m == nil {
			return ""
		}
		n, err := strconv.Atoi(m[1])
		if err != nil || n < leastAffordable {
			return ""
		}
		s.change.maxTokens = n
		return "credits are low: asking for at most " + m[1] + " tokens"
	case e.Status == http.StatusBadRequest && !s.change.plain && refusesReasoning(e.Message) && s.client.openrouter:
		s.change.plain = true
		return "the provider refuses the reasoning of earlier steps: sending without it"
	case e.attached == "" && !s.change.blind && !s.req.Blind && countPictures(s.req.Messages) > 0 && e.refusesPictures():
		s.change.blind = true
		return "the provider refuses the pictures that tools have read: sending without them"
	}
	return ""
}

// refusesReasoning recognises the 400s of providers that cannot take reasoning_details back: Claude (signatures),
// Gemini and OpenAI (items that are unknown or come twice). A session would otherwise stay unusable for ever.
func refusesReasoning(message string) bool {
	m := strings.ToLower(message)
	for _, words := range [][2]string{
		{"signature", "thinking"},
		{"invalid signature", ""},
		{"thought signature", ""},
		{"reasoning_details", ""},
		{"reasoning details", ""},
		{"duplicate item", "rs_"},
		{"not found", "'rs_"},
		{"encrypted content", ""},
	} {
		if strings.Contains(m, words[0]) && strings.Contains(m, words[1]) {
			return true
		}
	}
	return false
}

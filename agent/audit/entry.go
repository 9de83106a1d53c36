package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A What says what a line is about.
type What string

// What is written down. The last four the log writes by itself.
const (
	HostStarted What = "host-started"
	HostStopped What = "host-stopped"
	Connected   What = "connected" // a client came
	Refused     What = "refused"   // a request was turned away at the door
	Judged      What = "judged"    // the policy's verdict on a call: allow, ask or deny
	Decided     What = "decided"   // the answer to an ask: approved, denied or expired
	Started     What = "started"   // a call begins to run
	Ended       What = "ended"     // it has ended
	ModeChanged What = "mode"      // or a loosening was asked for and waits for its confirmation
	RuleAdded   What = "rule"
	Trusted     What = "trust" // a decision about a folder
	Undone      What = "undo"  // a person took back what a turn has changed, or made it again
	Login       What = "login"
	Logout      What = "logout"

	Begun  What = "begun"  // the first line of all
	Missed What = "missed" // Count lines could not be written
	Mended What = "mended" // Count bytes of a line that nobody ended were taken away
	Broken What = "broken" // what is there is not what was written: Why says how, Lost what it may mean
)

// How lines were lost.
const (
	LostRemoved  = "removed"  // they were safe on the disk once
	LostUnsynced = "unsynced" // the disk did not have them yet: the machine may have lost its power
)

// Decisions: those of the policy and those of people.
const (
	Allow    = "allow"
	Ask      = "ask"
	Deny     = "deny"
	Approved = "approved"
	Denied   = "denied"
	Expired  = "expired"
)

// An Entry is what a line says. Every text in it is redacted, bounded and without characters that a terminal would hide or
// obey before it is written: there is no other way into the file. Fields that do not apply stay empty.
type Entry struct {
	Time    time.Time `json:"time"` // zero: now
	What    What      `json:"what"`
	Session string    `json:"session,omitempty"`
	Turn    string    `json:"turn,omitempty"`
	Call    string    `json:"call,omitempty"`
	Client  string    `json:"client,omitempty"` // the connection's id
	Kind    string    `json:"kind,omitempty"`   // of the client: run, chat, page …
	Origin  string    `json:"origin,omitempty"` // of a page

	Tool      string `json:"tool,omitempty"`
	Input     string `json:"input,omitempty"`     // its beginning, redacted
	InputHash string `json:"inputHash,omitempty"` // of the whole input, by Hash

	Decision string `json:"decision,omitempty"`
	By       string `json:"by,omitempty"`  // what decided: a mode, a rule, a person
	Why      string `json:"why,omitempty"` // in words

	Sandbox     string `json:"sandbox,omitempty"` // that bounds the call
	Level       int    `json:"level,omitempty"`   // of the sandbox, 0 to 3
	Network     bool   `json:"network,omitempty"` // beyond the sandbox: the machine's network
	Unsandboxed bool   `json:"unsandboxed,omitempty"`

	Exit   *int   `json:"exit,omitempty"`  // of a command
	MS     *int64 `json:"ms,omitempty"`    // how long it ran
	Bytes  *int   `json:"bytes,omitempty"` // of the result for the model
	Failed string `json:"failed,omitempty"`

	From  string `json:"from,omitempty"` // the mode that held
	To    string `json:"to,omitempty"`   // the mode that holds, or is asked for
	Count int    `json:"count,omitempty"`
	Lost  string `json:"lost,omitempty"`
}

// A Line is an entry in its place: n counts from 1 over all files, and prev is the hash of the line before.
type Line struct {
	N uint64 `json:"n"`
	Entry
	Prev string `json:"prev"`

	Text []byte `json:"-"` // of a line that was read, as it stands in its file, without its line break
}

// Hash is how the log names an input.
func Hash(input []byte) string { return hashOf(input) }

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// mostText bounds what is kept of a text, in bytes.
const mostText = 2 << 10

// scrub makes every text of the entry fit for the log. It goes by the type, so that no field can be forgotten. Secrets are
// looked for in the whole text: one that a cut went through would be none any more, and what comes before it may shrink.
func (e *Entry) scrub(redact func(string) string) {
	for _, f := range reflect.ValueOf(e).Elem().Fields() {
		if f.Kind() == reflect.String && f.Len() > 0 {
			f.SetString(bounded(redact(f.String())))
		}
	}
}

// bounded keeps the beginning of a text and says how much is gone.
func bounded(s string) string {
	if len(s) <= mostText {
		return s
	}
	kept := cut(s, mostText)
	return fmt.Sprintf("%s… (%d bytes more)", kept, len(s)-len(kept))
}

// cut is the beginning of a text, without half a character at its end.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// encode writes a line with its line break, and returns the hash that the next will name.
func encode(n uint64, e Entry, prev string) (line []byte, hash string, err error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(Line{N: n, Entry: e, Prev: prev}); err != nil {
		return nil, "", fmt.Errorf("audit: encoding a line: %w", err)
	}
	line = visible(buf.Bytes())
	return line, hashOf(line[:len(line)-1]), nil
}

// visible writes characters that a terminal would hide or obey as JSON escapes: they stand in strings only.
func visible(line []byte) []byte {
	if bytes.IndexFunc(line, hidden) == len(line)-1 { // the line break
		return line
	}
	var b strings.Builder
	for _, r := range string(line[:len(line)-1]) {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	b.WriteByte('\n')
	return []byte(b.String())
}

func hidden(r rune) bool {
	return r < ' ' || r >= 0x7f && (unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) || r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0100 && r <= 0xe01ef)
}

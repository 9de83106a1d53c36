package secret

import (
	"fmt"
	"log/slog"
)

// ReplaceAttr is for slog.HandlerOptions: no message and no value of a log holds what the set knows. A value of another
// type than a string is shown as its text when that holds one.
func (s *Set) ReplaceAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(s.Redact(a.Value.String()))
	case slog.KindAny:
		if text := fmt.Sprintf("%+v", a.Value.Any()); s.Holds(text) {
			a.Value = slog.StringValue(s.Redact(text))
		}
	}
	return a
}

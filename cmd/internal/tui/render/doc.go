// Package render turns text into the styled lines of a terminal: Markdown that is still arriving, code, unified diffs. Its
// functions are pure, but for lexers that are loaded on first use; nothing here knows a screen.
//
// What goes in has been through agent/plain; what plain could not see, such as a character that Markdown spells as an
// entity, goes through it here. What comes out holds no escape sequence but SGR and, if the theme says so, OSC 8
// (hyperlinks). Each line has at most the asked number of cells and leaves no style open.
package render

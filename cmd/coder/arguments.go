package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// args wraps a check of the arguments so that what it refuses is a usage error in our words: they come from the command's
// own usage line, which names its arguments.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) == nil {
			return nil
		}
		if cmd.HasSubCommands() {
			return noCommand(cmd, args[0])
		}
		return &usageError{Err: wrongArguments(cmd, args), Command: cmd.CommandPath()}
	}
}

// wrongArguments names the argument that is missing, or that is one too many.
func wrongArguments(cmd *cobra.Command, args []string) error {
	names := strings.Fields(strings.ReplaceAll(cmd.Use, " | ", "|"))[1:]
	usage := "usage: " + cmd.CommandPath() + " " + strings.Join(names, " ")
	if missing := len(args); missing < len(names) {
		return &hintedError{fmt.Errorf("%s is missing", strings.Trim(names[missing], ".")), usage}
	}
	if len(names) > 0 && strings.Contains(names[len(names)-1], "PROMPT") {
		before, words := args[:len(names)-1], args[len(names)-1:]
		line := slices.Concat([]string{cmd.CommandPath()}, before, []string{quoted(strings.Join(words, " "))})
		return &hintedError{
			fmt.Errorf("the prompt is one argument, and here are %d: it goes in quotes", len(words)),
			"write: " + strings.Join(line, " "),
		}
	}
	return &hintedError{fmt.Errorf("%q is one argument too many", args[len(names)]), strings.TrimSpace(usage)}
}

// quoted is the text as one word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// noCommand says that cmd has no such command, and which it may be.
func noCommand(cmd *cobra.Command, word string) error {
	text := fmt.Sprintf("there is no command %q", word)
	if cmd.HasParent() {
		text += " in " + cmd.CommandPath()
	}
	var err error = errors.New(text)
	cmd.SuggestionsMinimumDistance = typos
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		err = &hintedError{err, "did you mean: " + cmd.CommandPath() + " " + strings.Join(near, ", or ")}
	}
	return &usageError{Err: err, Command: cmd.CommandPath()}
}

// typos is how many letters may be wrong in what we still recognise.
const typos = 2

// flagError says in our words that there is no such flag, and which it may be.
func flagError(cmd *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		err = noFlag(cmd, unknown.GetSpecifiedName())
	}
	return &usageError{Err: err, Command: cmd.CommandPath()}
}

func noFlag(cmd *cobra.Command, name string) error {
	err := fmt.Errorf("%s has no flag --%s", cmd.CommandPath(), name)
	flags := &cobra.Command{SuggestionsMinimumDistance: typos} // whose commands are the flags: cobra compares names of commands
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			flags.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	if near := flags.SuggestionsFor(name); len(near) > 0 {
		return &hintedError{err, "did you mean --" + strings.Join(near, ", or --")}
	}
	return err
}

// ownWords lets the commands that cobra brings, help and completion, refuse what they do not know.
func ownWords(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Run, cmd.RunE = nil, help
		case "completion":
			cmd.Args, cmd.RunE = args(cobra.NoArgs), func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			for _, shell := range cmd.Commands() {
				shell.Args = args(cobra.NoArgs)
			}
		}
	}
}

// help shows the help of the command that the words name.
func help(cmd *cobra.Command, words []string) error {
	found, rest, err := cmd.Root().Find(words)
	switch {
	case err != nil:
		return &usageError{Err: err, Command: "coder"}
	case len(rest) > 0:
		return noCommand(found, rest[0])
	}
	found.InitDefaultHelpFlag() // shown as a flag of the command
	return found.Help()
}

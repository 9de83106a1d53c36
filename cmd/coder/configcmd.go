package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent/plain"
)

func newConfig(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show each setting and where its value comes from",
		Long: `config shows each setting and where its value comes from. Flags win over the environment, the environment over
the config file, the config file over the defaults. The file is JSON and may hold comments. What is wrong in it, or in the
environment, is said, and shown with its default; other commands do not begin with it.`,
		Example: `  coder config
  CODER_MODEL=openai/gpt-5 coder config --json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, wrong := a.resolve(cmd)
			show := printConfig
			if asJSON {
				show = printConfigJSON
			}
			if err := show(a.stdout, c); err != nil || len(wrong) == 0 {
				return err
			}
			for _, err := range wrong[1:] {
				report(a.stderr, err)
			}
			return wrong[0]
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// keyShown says whether there is a key and where, and nothing else of it. It asks no keyring: the file says what is in it.
func keyShown(c config) origin {
	if c.Key != "" {
		return origin{"set", "env " + keyVar}
	}
	all, err := readCredentials()
	if err != nil {
		return origin{"not readable", err.Error()}
	}
	switch kept, ok := all.find(c.BaseURL); {
	case !ok:
		return origin{"not set", fromDefault}
	case kept.Key == "":
		return origin{"set", keyringName}
	}
	return origin{"set", credentialsFile()}
}

func printConfig(out io.Writer, c config) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tFROM")
	for _, s := range settings {
		from := c.origins[s.name]
		if s.name == "mode" && from.Text == "" {
			from.Text = "ask; auto in coder run"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.name, from.Text, from.From)
	}
	for _, r := range c.Rules {
		fmt.Fprintf(w, "%s\t%s\t%s\n", rulesSetting, plain.Visible(r.String()), r.From)
	}
	key := keyShown(c)
	fmt.Fprintf(w, "key\t%s\t%s\n", key.Text, key.From)
	fmt.Fprintf(w, "\nconfig file: %s\n", configFile())
	return w.Flush()
}

type configJSON struct {
	File     string        `json:"file"`
	Settings []settingJSON `json:"settings"`
}

type settingJSON struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"`
}

func printConfigJSON(out io.Writer, c config) error {
	doc := configJSON{File: configFile()}
	for _, s := range settings {
		from := c.origins[s.name]
		doc.Settings = append(doc.Settings, settingJSON{s.name, from.Text, from.From})
	}
	for _, r := range c.Rules {
		doc.Settings = append(doc.Settings, settingJSON{rulesSetting, r.String(), r.From})
	}
	key := keyShown(c)
	doc.Settings = append(doc.Settings, settingJSON{"key", key.Text, key.From})
	return printJSON(out, doc)
}

// printJSON prints v as one indented document.
func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

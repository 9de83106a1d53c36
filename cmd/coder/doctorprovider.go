package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/coder-agent/coder/agent/openrouter"
)

func (d *doctor) lookConfig(context.Context) finding {
	f := finding{Status: fine, Text: underHome(configFile())}
	if _, err := os.Stat(configFile()); err != nil {
		f.Text += " (not there: the defaults hold)"
	}
	for _, err := range d.wrong {
		f.add(problem, strings.TrimPrefix(err.Error(), "config: "), hintOf(err)) // the check's own name stands before it
	}
	return f
}

// lookKey says whether there is a key and where, and never shows it.
func (d *doctor) lookKey(context.Context) finding {
	key := keyShown(d.config)
	switch err := d.config.checkKey(); {
	case d.keyErr != nil:
		return failing(problem, d.keyErr, "")
	case err != nil:
		return failing(problem, err, "")
	case d.config.key() == "":
		return finding{Status: fine, Text: "none, and a model server on this machine needs none"}
	}
	return finding{Status: fine, Text: fmt.Sprintf("%s, from %s", key.Text, key.From)}
}

// lookProvider asks the provider what the key may do and whether it has the model. It costs nothing.
func (d *doctor) lookProvider(ctx context.Context) finding {
	base := d.config.origins["baseURL"]
	f := finding{Status: fine, Text: fmt.Sprintf("%s (%s)", provider(d.config.BaseURL), base.From)}
	if d.offline {
		f.Status = note
		f.Text += ", not asked (--offline)"
		return f
	}
	client, err := openrouter.New(openrouter.Options{
		Key: d.config.key(), BaseURL: d.config.BaseURL, Model: d.config.Model, Retries: 1, Proxy: http.ProxyFromEnvironment,
	})
	if err != nil {
		return failing(problem, err, "")
	}
	defer client.Close()
	answers := d.lookCredit(ctx, client, &f)
	d.lookModel(ctx, client, &f, answers)
	return f
}

// lookCredit asks what the key may do, and reports whether the provider has answered.
func (d *doctor) lookCredit(ctx context.Context, client *openrouter.Client, f *finding) bool {
	if d.config.key() == "" {
		return false
	}
	key, err := client.Key(ctx)
	var refused *openrouter.Error
	switch {
	case err == nil:
		f.add(creditOf(key))
	case !errors.As(err, &refused) || refused.Status == 0:
		f.add(problem, err.Error(), hintOr(err, "look at the network and at the base URL; coder doctor --offline leaves this out"))
		return true
	case refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden:
		f.add(problem, "the provider refuses the key: "+err.Error(), hintOr(err, "create a key at https://openrouter.ai/keys"))
	case refused.Status == http.StatusNotFound || refused.Status == http.StatusMethodNotAllowed:
		return false // another provider than OpenRouter
	default:
		f.add(warning, err.Error(), hintOr(err, "try again later"))
	}
	return true
}

func hintOr(err error, otherwise string) string {
	if hint := hintOf(err); hint != "" {
		return hint
	}
	return otherwise
}

// creditOf says what the key may still spend.
func creditOf(key openrouter.Key) (status verdict, text, remedy string) {
	spent := fmt.Sprintf("the key works; it has cost $%.2f", key.Usage)
	if key.Remaining == nil || key.Limit == nil {
		return fine, spent + " and has no limit of its own", ""
	}
	text = fmt.Sprintf("%s, and $%.2f of $%.2f are left", spent, *key.Remaining, *key.Limit)
	if key.Reset != "" {
		text += " (" + key.Reset + ")"
	}
	if *key.Remaining <= 0 {
		return problem, text, "raise the limit of the key at https://openrouter.ai/keys"
	}
	return fine, text, ""
}

// lookModel looks for the model in the provider's list. Not every server has one.
func (d *doctor) lookModel(ctx context.Context, client *openrouter.Client, f *finding, answered bool) {
	if f.Status == problem {
		return
	}
	info, err := client.Describe(ctx, "")
	switch {
	case err != nil && !answered && !strings.Contains(err.Error(), "404"):
		f.add(problem, err.Error(), "look whether the server runs, at the network and at the base URL; coder doctor --offline leaves this out")
	case err != nil:
		f.add(note, "it has no list of models: whether it has "+d.config.Model+" shows with the first prompt", "")
	case info.Missing:
		f.add(problem, "it has no model "+d.config.Model, "choose another with --model or CODER_MODEL")
	default:
		f.add(fine, "it answers; the model is "+d.config.Model, "")
	}
}

//go:build linux

// Command bench measures whole processes of coder against a scripted model and prints a table with our targets. Run it
// from the root of the repository, on an idle machine:
//
//	go run ./docs/bench        what a user waits for: start, prompts, long runs
//	go run ./docs/bench idle   what 2,000 connections cost that do nothing
//	go run ./docs/bench load   how late frames come when 200 agents stream to 400 connections
//	go run ./docs/bench chat   what one at the terminal of coder chat waits for, and what it costs
//	go run ./docs/bench search what glob and grep take on a big tree, beside ripgrep (-files 100000: 1 GB)
//
// Beside coder it measures a bare client, the least Go program that talks to the same model about the same files.
// A target that is a multiple refers to that client's own figure, measured in the same minute.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context) error {
	role := flag.String("role", "", "inner use: model, paced, bare or peak")
	base := flag.String("base", "", "inner use: the model's base URL")
	like := flag.String("like", "", "inner use: a request whose system prompt and tools to send")
	program := flag.String("coder", "", "a built coder to measure; empty builds this checkout")
	rounds := flag.Int("rounds", 11, "how often to measure each short figure; the table shows the median")
	profiles := flag.String("profiles", "", "idle and load: keep the profiles of the host in this folder")
	seconds := flag.Int("seconds", 10, "load: how long to measure")
	files := flag.Int("files", 10_000, "search: how many files the tree has, of 10 KiB each")
	keep := flag.Bool("keep", false, "keep the scratch folder")
	flag.Parse()
	switch *role {
	case "model":
		return serveModel(ctx)
	case "paced":
		return servePaced(ctx)
	case "bare":
		return bare(ctx, *base, *like, flag.Arg(0))
	case "peak":
		return printPeak(ctx, flag.Args())
	case "":
	default:
		return fmt.Errorf("there is no role %q", *role)
	}
	work, err := os.MkdirTemp("", "coder-bench-")
	if err != nil {
		return err
	}
	b := bench{work: work, coder: *program, rounds: max(*rounds, 1), profiles: *profiles, seconds: max(*seconds, 1), files: max(*files, 1000)}
	switch what := flag.Arg(0); what {
	case "":
		err = b.measure(ctx, b.version, b.cold, b.coldFix, b.warm)
	case "idle":
		err = b.measure(ctx, b.idle)
	case "load":
		err = b.measure(ctx, b.load)
	case "chat":
		err = b.measure(ctx, b.chat)
	case "search":
		err = b.measure(ctx, b.search)
	default:
		err = fmt.Errorf("there is no measurement %q", what)
	}
	if *keep {
		fmt.Fprintln(os.Stderr, "kept", work)
		return err
	}
	return errors.Join(err, os.RemoveAll(work))
}

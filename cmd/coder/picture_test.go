package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/coder-agent/coder/tools/pdftext/pdftexttest"
)

// pdfCmd makes a PDF with a page for each text: pdf FILE TEXT…
func pdfCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: pdf FILE TEXT…")
	}
	var programs []string
	for _, text := range args[1:] {
		programs = append(programs, "BT /F1 10 Tf 50 700 Td ("+text+") Tj ET")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(pdftexttest.Make(programs...)), 0o600))
}

// pictureCmd makes a PNG: picture FILE WIDTH HEIGHT
func pictureCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: picture FILE WIDTH HEIGHT")
	}
	w, err := strconv.Atoi(args[1])
	ts.Check(err)
	h, err := strconv.Atoi(args[2])
	ts.Check(err)
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		img.Set(i%w, i/w, color.RGBA{uint8(i % w), uint8(i / w), 0, 255})
	}
	var b bytes.Buffer
	ts.Check(png.Encode(&b, img))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}

package agent

import (
	"archive/zip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Skipf("this system has no time zones: %v", err)
	}
	return loc
}

func TestCronLines(t *testing.T) {
	tests := []struct {
		name, zone, line, after string
		want                    []string
	}{
		{"weekdays at nine", "Europe/Berlin", "0 9 * * 1-5", "2026-11-27T09:00:00+01:00", []string{"2026-11-30T09:00:00+01:00"}},
		{"seven is Sunday too", "UTC", "0 0 * * 7", "2026-11-24T00:00:00Z", []string{"2026-11-29T00:00:00Z"}},
		{"a day of the month or of the week", "UTC", "0 0 1 * MON", "2026-11-24T00:00:00Z", []string{"2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z"}},
		{"a second after the minute is too late", "UTC", "30 * * * *", "2026-11-24T06:30:00.5Z", []string{"2026-11-24T07:30:00Z"}},
		{"a leap day", "UTC", "0 12 29 2 *", "2026-01-01T00:00:00Z", []string{"2028-02-29T12:00:00Z"}},

		{"the hour before spring", "Europe/Berlin", "30 1 * * *", "2026-03-28T12:00:00+01:00", []string{"2026-03-29T01:30:00+01:00", "2026-03-30T01:30:00+02:00"}},
		{"a time that spring leaves out is made up for", "Europe/Berlin", "30 2 * * *", "2026-03-28T12:00:00+01:00", []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"two of them are one", "Europe/Berlin", "0,30 2,3 * * *", "2026-03-29T01:00:00+01:00", []string{"2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:00:00+02:00"}},
		{"every half hour goes on in spring", "Europe/Berlin", "*/30 * * * *", "2026-03-29T01:30:00+01:00", []string{"2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"}},

		{"a time that autumn repeats counts once", "Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00+02:00", []string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"and the hour after it", "Europe/Berlin", "0 3 * * *", "2026-10-25T02:30:00+02:00", []string{"2026-10-25T03:00:00+01:00"}},
		{"every half hour goes on in autumn", "Europe/Berlin", "*/30 * * * *", "2026-10-25T02:00:00+02:00", []string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00"}},
		{"a midnight that is left out", "America/Sao_Paulo", "0 0 * * *", "2018-11-03T12:00:00-03:00", []string{"2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"}},
		{"half an hour of summer time", "Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00:00+10:30", []string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},

		{"a day that never comes", "UTC", "0 0 30 2 *", "2026-01-01T00:00:00Z", []string{""}},
		{"nor in summer time", "Europe/Berlin", "0 0 31 6 *", "2026-01-01T00:00:00Z", []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			line, err := parseCron(tt.line, zone(t, tt.zone))
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, tt.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				got := ""
				if at = line.next(at); !at.IsZero() {
					got = at.Format(time.RFC3339)
				}
				if got != want {
					t.Fatalf("%q in %s after %s comes at %q, want %q", tt.line, tt.zone, tt.after, got, want)
				}
			}
		})
	}
}

// slimZone reads a zone from the file that comes with Go: it has the rules and no table of the years to come, where package
// time gives an end of summer or winter that may lie before the time asked.
func slimZone(t *testing.T, name string) *time.Location {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("this toolchain has no time zones: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	f, err := archive.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	loc, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestCronLinesComeInAllYears(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Tokyo", "UTC"} {
		zone := slimZone(t, name)
		for _, want := range []struct {
			line string
			days int // between two times, at most
		}{{"30 12 * * *", 1}, {"0 0 31 12 *", 366}, {"0 12 29 2 *", 4*365 + 1}} {
			line, err := parseCron(want.line, zone)
			if err != nil {
				t.Fatal(err)
			}
			at := line.next(time.Date(2028, 1, 1, 0, 0, 0, 0, zone))
			for at.Year() < 2096 {
				next := line.next(at)
				if days := next.Sub(at).Hours() / 24; days <= 0 || days > float64(want.days)+0.1 {
					t.Fatalf("%q in %s comes at %s and then at %s", want.line, name, at, next)
				}
				at = next
			}
		}
		at := time.Date(2028, 1, 1, 0, 0, 0, 0, zone)
		for changes := 0; at.Year() < 2100; changes++ {
			end := evenUntil(at)
			if end.IsZero() {
				break
			}
			_, offset := at.Zone()
			if _, last := end.Add(-time.Second).Zone(); !end.After(at) || last != offset || changes > 1000 {
				t.Fatalf("a clock in %s goes evenly from %s until %s, after %d changes", name, at, end, changes)
			}
			at = end
		}
	}
}

func TestCronLinesThatAreNone(t *testing.T) {
	for _, line := range []string{"", "@daily", "TZ=UTC 0 9 * * *", "0 9 * *", "61 * * * *", "*/0 * * * *", "0 9 * * FRY", "CRON_TZ=UTC 0 9 * *"} {
		if _, err := parseCron(line, time.UTC); err == nil || !strings.Contains(err.Error(), "0 9 * * 1-5") {
			t.Errorf("parseCron(%q) = %v, want an error with an example", line, err)
		}
	}
}

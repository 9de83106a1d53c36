package openrouter

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
)

// Bounds of what an answer brings besides text: it is stored with the message and sent to every client.
const (
	mostSources = 64      // pages that one answer names
	mostImages  = 16      // pictures in one answer
	mostImage   = 8 << 20 // bytes of a picture's URL
)

// A source is a page that an answer draws on.
type source struct{ url, title string }

// annotation is what OpenRouter says of an answer's text; only citations of pages are used.
type annotation struct {
	Type     string `json:"type"`
	Citation struct {
		URL     string `json:"url"`
		Title   string `json:"title"`
		Content string `json:"content"` // of a page that was searched for: excerpts
	} `json:"url_citation"`
}

// image is a picture that the model made, as OpenRouter sends it.
type image struct {
	URL struct {
		URL string `json:"url"`
	} `json:"image_url"`
}

// media takes the citations and pictures of a delta. Anything of another shape is nothing.
func (p *piece) media(d *delta) {
	var annotations []annotation
	_ = json.Unmarshal(present(d.Annotations), &annotations)
	for _, a := range annotations {
		if a.Type == "url_citation" && webPage(a.Citation.URL) {
			p.sources = append(p.sources, source{a.Citation.URL, clip(a.Citation.Title, 200)})
		}
	}
	var images []image
	_ = json.Unmarshal(present(d.Images), &images)
	for _, i := range images {
		if i.URL.URL != "" {
			p.images = append(p.images, i.URL.URL)
		}
	}
}

// webPage reports whether a client may be shown the link: a model can be made to name any.
func webPage(link string) bool {
	u, err := url.Parse(link)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && len(link) <= 2<<10
}

// media emits the sources and pictures of an event. Providers send what they cite several times: once is enough. A
// picture that is not kept is said so in the answer.
func (a *answer) media(p piece) bool {
	for _, s := range p.sources {
		if a.cited[s.url] || len(a.cited) == mostSources {
			continue
		}
		if a.cited == nil {
			a.cited = make(map[string]bool)
		}
		a.cited[s.url] = true
		if !a.emit(chat.SourceURL{URL: s.url, Title: s.title}) {
			return false
		}
	}
	for _, link := range p.images {
		if a.images++; a.images > mostImages {
			continue
		}
		kind := pictureType(link)
		switch {
		case kind == "":
			link = "[the model sent a picture of a kind that is not known here]"
		case len(link) > mostImage:
			link = fmt.Sprintf("[the model sent a picture of %d MiB; at most %d are kept]", len(link)>>20, mostImage>>20)
		default:
			a.output, a.pictured = true, true
			if !a.emit(chat.FileMade{MediaType: kind, URL: link}) {
				return false
			}
			continue
		}
		if !a.say(link) {
			return false
		}
	}
	return true
}

// pictureType returns the media type of a picture's URL, or "" when it is none that is kept.
func pictureType(link string) string {
	if strings.HasPrefix(link, "https://") && webPage(link) {
		return "image/*"
	}
	kind, _, _ := strings.Cut(strings.TrimPrefix(link, "data:"), ";base64,")
	switch kind {
	case "image/png", "image/jpeg", "image/webp", "image/gif":
		return kind
	}
	return ""
}

// attached names what the request has attached that not every model takes, or "".
func attached(messages []chat.Message) string {
	found := ""
	for _, m := range messages {
		for _, p := range m.Parts {
			f, ok := p.(chat.File)
			if !ok || m.Role != chat.User {
				continue
			}
			switch attachment(f, false).Type {
			case "image_url":
				return "picture"
			case "file":
				found = "file"
			}
		}
	}
	return found
}

// refusesMedia reports whether the server has refused the request for what is attached to it.
func (e *Error) refusesMedia() bool {
	return e.attached != "" && e.Status >= 400 && e.Status < 500 && e.speaksOf("image", "file", "pdf", "vision", "multimodal", "modalit", "content type")
}

// refusesPictures reports whether the server has refused the request because there are pictures in it. Local ones say so
// with a 500.
func (e *Error) refusesPictures() bool {
	switch e.Status {
	case 0, http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return e.speaksOf("image", "vision", "multimodal", "modalit", "content type")
}

// speaksOf reports whether the error is about a picture by its type, or its message holds one of the words.
func (e *Error) speaksOf(words ...string) bool {
	switch e.Type {
	case "invalid_image", "image_too_large", "image_too_small", "unsupported_image_format", "image_not_found", "image_download_failed":
		return true
	}
	m := strings.ToLower(e.Message)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(m, word) })
}

// pictures are those of an answer as they go back to a model that made them.
func pictures(parts []chat.Part) (list []part) {
	for _, p := range parts {
		if f, ok := p.(chat.File); ok && strings.HasPrefix(f.MediaType, "image/") {
			list = append(list, part{Type: "image_url", Image: &imagePart{f.URL}})
		}
	}
	return list
}

// dropPictures makes answers what any server takes: a field of OpenRouter's goes.
func dropPictures(list []message) {
	for i := range list {
		list[i].Images = nil
	}
}

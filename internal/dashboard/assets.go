// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
)

//go:embed assets
var embedded embed.FS

// styles is the file that all of css/ becomes, so that the first view needs one request for it.
const styles = "app.css"

// assets are scripts, styles and pictures. Their path has a digest of all of them in it: a browser asks for each once, and never has old ones with new pages.
type assets struct {
	digest string
	files  map[string][]byte
}

func newAssets() (*assets, error) {
	found := &assets{files: map[string][]byte{}}
	digest := sha256.New()
	var style bytes.Buffer
	err := fs.WalkDir(embedded, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := embedded.ReadFile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(digest, "%s %d\n", name, len(content))
		digest.Write(content)
		short := name[len("assets/"):]
		if path.Dir(short) == "css" {
			style.Write(content)
			return nil
		}
		found.files[short] = content
		return nil
	})
	found.files[styles] = style.Bytes()
	found.digest = hex.EncodeToString(digest.Sum(nil)[:8])
	return found, err
}

// path below the base of the dashboard.
func (a *assets) path() string { return "/assets/" + a.digest }

// ServeHTTP answers for what the route calls digest and name.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	content, there := a.files[name]
	if !there || r.PathValue("digest") != a.digest {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(content) //nolint:gosec // it is a file of this program
}

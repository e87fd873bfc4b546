// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
)

// packed is an object as a pack has it: its kind, the size that it claims, what a delta stands on, and its bytes before they are deflated.
type packed struct {
	kind plumbing.ObjectType
	size int
	base string
	data []byte
}

func blobOf(data string) packed {
	return packed{kind: plumbing.BlobObject, size: len(data), data: []byte(data)}
}

// deltaOn adds text to the end of a base.
func deltaOn(base, text string) packed {
	hash := plumbing.ComputeHash(plumbing.BlobObject, []byte(base))
	delta := []byte{byte(len(base)), byte(len(base) + len(text)), 0x90, byte(len(base)), byte(len(text))}
	delta = append(delta, text...)
	return packed{kind: plumbing.REFDeltaObject, size: len(delta), base: string(hash[:]), data: delta}
}

func packOf(t testing.TB, count int, all ...packed) []byte {
	t.Helper()
	var out bytes.Buffer
	out.WriteString("PACK\x00\x00\x00\x02")
	_ = binary.Write(&out, binary.BigEndian, uint32(count))
	for _, one := range all {
		first, rest := byte(one.kind)<<4|byte(one.size&15), one.size>>4
		for rest > 0 {
			out.WriteByte(first | 0x80)
			first, rest = byte(rest&0x7f), rest>>7
		}
		out.WriteByte(first)
		out.WriteString(one.base)
		writer := zlib.NewWriter(&out)
		_, _ = writer.Write(one.data)
		_ = writer.Close()
	}
	sum := sha1.Sum(out.Bytes())
	out.Write(sum[:])
	return out.Bytes()
}

func TestAPackIsReadInWhateverOrderItsDeltasCome(t *testing.T) {
	pack := packOf(t, 3, deltaOn("base and more", " and yet more"), deltaOn("base", " and more"), blobOf("base"))
	found, err := unpackObjects(bytes.NewReader(pack), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"base", "base and more", "base and more and yet more"} {
		if got := found[plumbing.ComputeHash(plumbing.BlobObject, []byte(want))]; string(got.data) != want {
			t.Errorf("got %q, want %q", got.data, want)
		}
	}
}

func TestAPackOfGitsOwnMakingIsRead(t *testing.T) {
	work := &worktree{t: t, folder: t.TempDir()}
	work.git("init", "-q", "-b", "main")
	for i := range 20 {
		work.write("a.yaml", strings.Repeat(service, 50)+fmt.Sprint(i))
		work.git("add", "-A")
		work.git("commit", "-q", "-m", "next")
	}
	for _, how := range []string{"--delta-base-offset", "--no-reuse-delta"} {
		command := exec.CommandContext(t.Context(), "git", "pack-objects", "-q", "--revs", "--stdout", "--window=20", how)
		command.Dir, command.Env, command.Stdin = work.folder, gitEnvironment(work.folder), strings.NewReader("HEAD\n")
		pack, err := command.Output()
		if err != nil {
			t.Fatal(err)
		}
		found, err := unpackObjects(bytes.NewReader(pack), 10<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != 60 {
			t.Errorf("got %d objects, want 60 (%s)", len(found), how)
		}
	}
}

func TestADeltaMayStandOnADeltaByHashAndByPlace(t *testing.T) {
	base, byHash := blobOf("base"), deltaOn("base", " and more")
	size := len(packOf(t, 2, base, byHash)) - len(packOf(t, 1, base))
	byPlace := deltaOn("base and more", " and yet more")
	byPlace.kind, byPlace.base = plumbing.OFSDeltaObject, string(rune(size))
	found, err := unpackObjects(bytes.NewReader(packOf(t, 3, base, byHash, byPlace)), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	const want = "base and more and yet more"
	if got := found[plumbing.ComputeHash(plumbing.BlobObject, []byte(want))]; string(got.data) != want {
		t.Errorf("got %q, want %q", got.data, want)
	}
}

func TestAnAnswerThatIsNoPackIsARefusal(t *testing.T) {
	if _, err := unpackObjects(strings.NewReader("<html>"), 10_000); !errors.Is(err, errRefused) {
		t.Errorf("got %v", err)
	}
}

// signed is a pack with its own checksum in the place of the one that it has.
func signed(pack []byte) []byte {
	body := bytes.Clone(pack[:len(pack)-sha1.Size])
	sum := sha1.Sum(body)
	return append(body, sum[:]...)
}

func TestPacksThatWouldHurtAreCutOff(t *testing.T) {
	const most = 100_000
	var bomb bytes.Buffer
	bomb.Write([]byte{0x7f, 0xff, 0xff, 0xff, 0x1f}) // a base of 127 bytes, a result of 64 MiB
	empty := make([]packed, 0, most/objectOverhead+1)
	for range cap(empty) {
		empty = append(empty, blobOf(""))
	}
	good := packOf(t, 1, blobOf("x"))
	damaged := bytes.Clone(good)
	damaged[len(damaged)-sha1.Size-1] ^= 1 // the end of the object's own checksum
	onBase := func(delta string) []byte {
		return packOf(t, 2, blobOf("base"), packed{kind: plumbing.REFDeltaObject, size: len(delta), base: hashText("base"), data: []byte(delta)})
	}
	const notThere = "stands on an object that is not there"
	for name, row := range map[string]struct {
		pack []byte
		// limit is what is said of a pack that is too large, why of one that is broken.
		limit, why string
	}{
		"an object that says how large it is":   {pack: packOf(t, 1, blobOf(strings.Repeat("x", most))), limit: "larger than 100000 bytes when it is unpacked"},
		"an object that is larger than it says": {pack: packOf(t, 1, packed{kind: plumbing.BlobObject, size: 10, data: make([]byte, 10<<20)})},
		"an object that is smaller":             {pack: packOf(t, 1, packed{kind: plumbing.BlobObject, size: 10, data: []byte("x")})},
		"many objects together":                 {pack: packOf(t, 2, blobOf(strings.Repeat("x", most/2)), blobOf(strings.Repeat("y", most/2))), limit: "larger than 100000"},
		"many empty objects":                    {pack: packOf(t, len(empty), empty...), limit: "larger than 100000"},
		"a delta with a huge result": {pack: packOf(t, 2, blobOf(strings.Repeat("x", 127)), packed{
			kind: plumbing.REFDeltaObject, size: bomb.Len(), data: bomb.Bytes(), base: hashText(strings.Repeat("x", 127)),
		}), limit: "larger than 100000"},
		"a delta on nothing":                          {pack: packOf(t, 1, deltaOn("nowhere", "x")), why: notThere},
		"a delta on itself":                           {pack: packOf(t, 1, packed{kind: plumbing.OFSDeltaObject, size: 5, base: "\x00", data: []byte("\x01\x01\x90\x01x")})},
		"a delta on a place in between":               {pack: packOf(t, 2, blobOf("x"), packed{kind: plumbing.OFSDeltaObject, size: 5, base: "\x01", data: []byte("\x01\x01\x90\x01x")}), why: notThere},
		"a delta on another size":                     {pack: onBase("\x05\x05\x90\x04x")},
		"the same before its base":                    {pack: packOf(t, 2, packed{kind: plumbing.REFDeltaObject, size: 5, base: hashText("base"), data: []byte("\x05\x05\x90\x04x")}, blobOf("base"))},
		"a delta that breaks off":                     {pack: onBase("\x04\x80\x80\x80")},
		"a delta of nothing":                          {pack: onBase("")},
		"a delta that makes more than can be counted": {pack: onBase("\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01x"), limit: "larger than 100000"},
		"more objects than come":                      {pack: packOf(t, 1<<31-1, blobOf("x"))},
		"an unknown kind":                             {pack: packOf(t, 1, packed{kind: 5, size: 1, data: []byte("x")}), why: "malformed"},
		"another checksum":                            {pack: append(bytes.Clone(good[:len(good)-sha1.Size]), make([]byte, sha1.Size)...)},
		"no checksum":                                 {pack: good[:len(good)-sha1.Size]},
		"an object with a damage":                     {pack: signed(damaged)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := unpackObjects(bytes.NewReader(row.pack), most)
			var limit *limitError
			if err == nil || errors.As(err, &limit) != (row.limit != "") || !strings.Contains(err.Error(), row.limit+row.why) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func hashText(text string) string {
	hash := plumbing.ComputeHash(plumbing.BlobObject, []byte(text))
	return string(hash[:])
}

// FuzzUnpackObjects expects each object to be what its hash says, of a bounded size all together, and the same when the pack is read again.
func FuzzUnpackObjects(f *testing.F) {
	f.Add(packOf(f, 3, deltaOn("base and more", " and yet more"), deltaOn("base", " and more"), blobOf("base")))
	f.Add(packOf(f, 1, blobOf("x")))
	f.Fuzz(func(t *testing.T, pack []byte) {
		found, err := unpackObjects(bytes.NewReader(pack), 50_000)
		total := 0
		for hash, object := range found {
			total += len(object.data)
			if plumbing.ComputeHash(object.kind, object.data) != hash {
				t.Error("an object is not what its hash says")
			}
		}
		if err == nil && total > 50_000 {
			t.Errorf("got %d bytes", total)
		}
		if err != nil && (err.Error() == "" || !utf8.ValidString(err.Error())) {
			t.Errorf("the message %q is not fit for a status", err.Error())
		}
		again, secondErr := unpackObjects(bytes.NewReader(pack), 50_000)
		if (err == nil) != (secondErr == nil) || err == nil && len(again) != len(found) {
			t.Errorf("got %d objects and %v, then %d and %v", len(found), err, len(again), secondErr)
		}
	})
}

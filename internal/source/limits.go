// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import "time"

// Limits bound what a source may cost. A limit that is zero has its default.
type Limits struct {
	// ManifestBytes of an artifact's manifest, default 1 MiB.
	ManifestBytes int64
	// CompressedBytes of all layers of an artifact together, as the registry holds them, and of all that one source takes from a Git server
	// or a chart repository, default 16 MiB.
	CompressedBytes int64
	// DecompressedBytes of all layers together after decompression, with what an archive adds around its files, default 64 MiB. The same
	// bound holds for the objects in what a Git server sends.
	DecompressedBytes int64
	// IndexBytes of a chart repository's index, default 8 MiB.
	IndexBytes int64
	// FileBytes of one file, default 8 MiB.
	FileBytes int64
	// Files in a source; an archive's folders count too. Default 2,000.
	Files int
	// Layers of an artifact, default 256.
	Layers int
	// Submodules of a commit, with those of its submodules, default 32.
	Submodules int
	// Depth of folders, counted as the elements of a path, default 32.
	Depth int
	// NameBytes of one path, default 1,024.
	NameBytes int
	// CacheBytes that the cache may take on disk, default 256 MiB.
	CacheBytes int64
	// Concurrent fetches, default 4.
	Concurrent int
	// Timeout of one resolve or fetch, default 2 minutes.
	Timeout time.Duration
}

// DefaultLimits returns the limits that hold where nothing else is said.
func DefaultLimits() Limits {
	return Limits{
		ManifestBytes:     1 << 20,
		CompressedBytes:   16 << 20,
		DecompressedBytes: 64 << 20,
		IndexBytes:        8 << 20,
		FileBytes:         8 << 20,
		Files:             2000,
		Layers:            256,
		Submodules:        32,
		Depth:             32,
		NameBytes:         1024,
		CacheBytes:        256 << 20,
		Concurrent:        4,
		Timeout:           2 * time.Minute,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	return Limits{
		ManifestBytes:     orDefault(l.ManifestBytes, d.ManifestBytes),
		CompressedBytes:   orDefault(l.CompressedBytes, d.CompressedBytes),
		DecompressedBytes: orDefault(l.DecompressedBytes, d.DecompressedBytes),
		IndexBytes:        orDefault(l.IndexBytes, d.IndexBytes),
		FileBytes:         orDefault(l.FileBytes, d.FileBytes),
		Files:             orDefault(l.Files, d.Files),
		Layers:            orDefault(l.Layers, d.Layers),
		Submodules:        orDefault(l.Submodules, d.Submodules),
		Depth:             orDefault(l.Depth, d.Depth),
		NameBytes:         orDefault(l.NameBytes, d.NameBytes),
		CacheBytes:        orDefault(l.CacheBytes, d.CacheBytes),
		Concurrent:        orDefault(l.Concurrent, d.Concurrent),
		Timeout:           orDefault(l.Timeout, d.Timeout),
	}
}

func orDefault[T int | int64 | time.Duration](value, byDefault T) T {
	if value <= 0 {
		return byDefault
	}
	return value
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package window

import "math/bits"

const (
	secondsOfMinute = int64(60)
	minutesOfDay    = 24 * 60
	secondsOfDay    = int64(minutesOfDay) * secondsOfMinute
)

// minutes is a set of minutes of one day, 0 to 1439, a bit for each.
type minutes [(minutesOfDay + 63) / 64]uint64

// lastWord is the last word of a set of all minutes.
const lastWord = 1<<(minutesOfDay%64) - 1

// minutesOf are those that both the minute of the hour and the hour match.
func minutesOf(minute, hour uint64) minutes {
	var set minutes
	for h := range 24 {
		if hour&(1<<h) == 0 {
			continue
		}
		for m := range 60 {
			if minute&(1<<m) != 0 {
				set.addRange(h*60+m, h*60+m+1)
			}
		}
	}
	return set
}

// addRange adds from, inclusive, to to, exclusive, as far as they are in the day.
func (m *minutes) addRange(from, to int) {
	from, to = max(from, 0), min(to, minutesOfDay)
	for from < to {
		word, bit := from/64, from%64
		count := min(to-from, 64-bit)
		m[word] |= (^uint64(0) >> (64 - count)) << bit
		from += count
	}
}

func (m *minutes) addAll() {
	for i := range m {
		m[i] = ^uint64(0)
	}
	m[len(m)-1] = lastWord
}

func (m *minutes) isEmpty() bool { return *m == minutes{} }

func (m *minutes) add(other *minutes) {
	for i := range m {
		m[i] |= other[i]
	}
}

func (m *minutes) remove(other *minutes) {
	for i := range m {
		m[i] &^= other[i]
	}
}

// keepRange removes what is not from `from`, inclusive, to `to`, exclusive.
func (m *minutes) keepRange(from, to int) {
	var kept minutes
	kept.addRange(from, to)
	for i := range m {
		m[i] &= kept[i]
	}
}

// first is the earliest that is not before from; -1 if there is none.
func (m *minutes) first(from int) int {
	if from >= minutesOfDay {
		return -1
	}
	word := from / 64
	rest := m[word] >> (from % 64) << (from % 64)
	for rest == 0 {
		if word++; word == len(m) {
			return -1
		}
		rest = m[word]
	}
	return word*64 + bits.TrailingZeros64(rest)
}

// last is the latest that is before to; -1 if there is none.
func (m *minutes) last(to int) int {
	if to = min(to, minutesOfDay); to <= 0 {
		return -1
	}
	word := (to - 1) / 64
	unwanted := 63 - (to-1)%64
	rest := m[word] << unwanted >> unwanted
	for rest == 0 {
		if word--; word < 0 {
			return -1
		}
		rest = m[word]
	}
	return word*64 + 63 - bits.LeadingZeros64(rest)
}

// shifted are the same minutes, later by so many (earlier if negative); those that leave the day are gone.
func (m *minutes) shifted(by int) minutes {
	var result minutes
	if by <= -minutesOfDay || by >= minutesOfDay {
		return result
	}
	words, rest := by>>6, uint(by&63) // towards negative infinity
	for i := max(words, 0); i < min(len(m)+words, len(m)); i++ {
		result[i] = m[i-words] << rest
	}
	for i := max(words+1, 0); i < min(len(m)+words+1, len(m)); i++ {
		result[i] |= m[i-words-1] >> (64 - rest) // nothing if rest is 0
	}
	result[len(result)-1] &= lastWord
	return result
}

// lasting are the minutes that something takes which begins at each of these and lasts so many, as far as they are in the day.
func (m *minutes) lasting(count int64) minutes {
	result := *m
	if count <= 0 {
		return minutes{}
	}
	if count >= minutesOfDay {
		if begin := m.first(0); begin >= 0 {
			result.addRange(begin, minutesOfDay)
		}
		return result
	}
	for done := int64(1); done < count; {
		step := min(done, count-done)
		later := result.shifted(int(step))
		result.add(&later)
		done += step
	}
	return result
}

// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
)

func TestASpreadHasTheMiddleTheEndsAndTheUsualDistance(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []float64
		want   Spread
	}{
		{"an odd number of values", []float64{9, 1, 2}, Spread{Median: 2, Min: 1, Max: 9, MAD: 1}},
		{"an even number", []float64{4, 1, 2, 3}, Spread{Median: 2.5, Min: 1, Max: 4, MAD: 1}},
		{"one", []float64{7}, Spread{Median: 7, Min: 7, Max: 7}},
	} {
		if got := SpreadOf(test.values); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
	if none := SpreadOf(nil); !math.IsNaN(none.Median) {
		t.Errorf("of nothing, the median is %v", none.Median)
	}
}

func TestAQuantileLiesOnTheLineBetweenTwoValues(t *testing.T) {
	values := []float64{30, 10, 20}
	for at, want := range map[float64]float64{0: 10, 0.25: 15, 0.5: 20, 0.99: 29.8, 1: 30} {
		if got := Quantile(values, at); math.Abs(got-want) > 1e-9 {
			t.Errorf("at %v: got %v, want %v", at, got, want)
		}
	}
	if !slices.Equal(values, []float64{30, 10, 20}) {
		t.Error("the values were put into another order")
	}
}

func TestNumbersAreShownAsExactlyAsTheyAreWorth(t *testing.T) {
	for value, want := range map[float64]string{1.254: "1.25", 12.34: "12.3", 123.4: "123", 6: "6", -0.5: "-0.50", 0: "0"} {
		if got := Number(value); got != want {
			t.Errorf("%v: got %q, want %q", value, got, want)
		}
	}
}

// counting is a contestant whose values are the places of its turns.
func counting(contender Contender, order *[]Contender) Contestant {
	return Contestant{Contender: contender, Measure: func(_ context.Context, run int) (Values, error) {
		*order = append(*order, contender)
		return Values{"": float64(run)}, nil
	}}
}

func TestContestantsTakeTurnsAndTheWarmUpIsThrownAway(t *testing.T) {
	var order []Contender
	lines := 0
	measured, err := Interleave(context.Background(), 2, func(string) { lines++ }, counting(Assent, &order), counting(Floor, &order))
	if err != nil {
		t.Fatal(err)
	}
	if want := []Contender{Assent, Floor, Floor, Assent, Assent, Floor}; !slices.Equal(order, want) {
		t.Errorf("the order was %v, want %v", order, want)
	}
	series := measured[""]
	if len(series) != 2 || series[0].Contender != Assent || series[1].Contender != Floor {
		t.Fatalf("got %+v", series)
	}
	for _, one := range series {
		if !slices.Equal(one.Values, []float64{1, 2}) {
			t.Errorf("%s has %v, want the runs 1 and 2", one.Contender, one.Values)
		}
	}
	if lines != 6 {
		t.Errorf("%d lines of progress, want 6", lines)
	}
}

func TestAMeasurementThatFailsEndsAllAndSaysWhose(t *testing.T) {
	broken := Contestant{Contender: Floor, Measure: func(context.Context, int) (Values, error) { return nil, errors.New("no cluster") }}
	var order []Contender
	_, err := Interleave(context.Background(), 1, func(string) {}, counting(Assent, &order), broken)
	if err == nil || err.Error() != `run 0 of 1 of "floor": no cluster` {
		t.Errorf("got %v", err)
	}
}

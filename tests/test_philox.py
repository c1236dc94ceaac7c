"""The random words: Random123's known answers, exact bounded integers, lanes that share nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

ONES = 0xFFFFFFFF


def words(native, n, **lane):
    out = np.empty(n, np.uint32)
    native.Stream(**lane).words(out)
    return out


def below(native, n, bound, **lane):
    out = np.empty(n, np.uint32)
    native.Stream(**lane).below(out, bound)
    return out


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(native_testing, counter, key, expected):
    assert tuple(native_testing.philox4x32(counter, key[0] | key[1] << 32)) == expected


def test_a_stream_is_philox_at_the_counter_that_its_lane_spells(native_testing):
    seed, op, role, identity, sample = 0x0123456789ABCDEF, 0xA5, 0x3C, 0x9876_5432_10FE, 0xDEADBEEF
    drawn = words(native_testing, 12, seed=seed, op=op, role=role, id=identity, sample=sample)
    upper = (sample, identity & ONES, identity >> 32 | op << 16 | role << 24)
    blocks = [native_testing.philox4x32((block, *upper), seed) for block in range(3)]
    assert drawn.tolist() == list(itertools.chain(*blocks))


def test_calls_of_a_stream_go_on_where_the_last_one_stopped(native_testing):
    whole = words(native_testing, 11, seed=5)
    stream, parts = native_testing.Stream(seed=5), [np.empty(n, np.uint32) for n in (3, 1, 7)]
    for part in parts:
        stream.words(part)
    assert np.concatenate(parts).tolist() == whole.tolist()


def lemire(stream_words, bound, n):
    """Bounded integers from words as the paper defines them, in exact integers; and how many words were rejected."""
    taken, out = iter(stream_words.tolist()), []
    rejected = 0
    while len(out) < n:
        product = next(taken) * bound
        if product % 2**32 < 2**32 % bound:
            rejected += 1
        else:
            out.append(product >> 32)
    return out, rejected


@pytest.mark.parametrize("bound", [1, 2, 6, 2**31 + 1, 3 * 2**30])
def test_below_rejects_exactly_the_words_that_would_bias_it(native_testing, bound):
    expected, rejected = lemire(words(native_testing, 4000, seed=12), bound, 1000)
    assert below(native_testing, 1000, bound, seed=12).tolist() == expected
    # At 2**31 + 1 nearly half of all words are rejected, at 3 * 2**30 a quarter; without rejection the answers shift.
    assert (rejected > 200) == (bound > 6)


@pytest.mark.parametrize("bound", [2, 6, 10, 3 * 2**30])
def test_below_is_uniform(native_testing, bound):
    """Chi-square over at most 6 cells of 600 000 draws; false alarm 1e-6 in all. A bias of 3 % in one cell fails."""
    cells = min(bound, 6)
    drawn = below(native_testing, 600_000, bound, seed=2024)
    seen = np.bincount(drawn.astype(np.int64) * cells // bound, minlength=cells)
    assert drawn.max() < bound
    low = [-(-cell * bound // cells) for cell in range(cells + 1)]
    assert stats.chisquare(seen, 600_000 * np.diff(low) / bound).pvalue > 1e-6 / 4


def test_multiplying_without_rejection_would_fail_the_uniformity_test(native_testing):
    bound, cells = 3 * 2**30, 3
    biased = words(native_testing, 600_000, seed=2024).astype(np.uint64) * bound >> np.uint64(32)
    odd = np.bincount((biased % cells).astype(np.int64), minlength=cells)
    assert stats.chisquare(odd).pvalue < 1e-6
    assert stats.chisquare(np.bincount(below(native_testing, 600_000, bound, seed=2024) % cells)).pvalue > 1e-6


def test_uniform_numbers_have_53_bits_below_one(native_testing):
    """Kolmogorov-Smirnov on 100 000 numbers; false alarm 1e-6."""
    out = np.empty(100_000)
    native_testing.Stream(seed=9).uniform(out)
    assert out.min() >= 0 and out.max() < 1
    assert stats.kstest(out, "uniform").pvalue > 1e-6
    high, low = words(native_testing, 200_000, seed=9).reshape(-1, 2).astype(np.uint64).T
    assert out.tolist() == ((high >> np.uint64(5) << np.uint64(26) | low >> np.uint64(6)) * 2.0**-53).tolist()


LANE = {"seed": 1, "op": 1, "role": 0, "id": 0, "sample": 0}
NEIGHBOURS = [
    *[{"seed": 1 ^ 1 << bit} for bit in (0, 1, 31, 32, 63)],
    *[{"op": op} for op in (2, 3, 129)],
    *[{"role": role} for role in (1, 2, 3, 128)],
    *[{"id": 1 << bit} for bit in (0, 1, 31, 32, 47)],
    *[{"sample": 1 << bit} for bit in (0, 1, 31)],
]


def agreement(a, b):
    """How many standard deviations the share of equal bits is from one half."""
    bits = 32 * a.size
    return abs(bits - 2 * int(np.unpackbits((a ^ b).view(np.uint8)).sum())) / np.sqrt(bits)


@pytest.mark.parametrize("shift", [0, 1, 4])
def test_lanes_that_differ_in_one_bit_of_anything_are_uncorrelated(native_testing, shift):
    """Equal bits of 2^16 words, shifted against each other, 210 pairs a shift; false alarm below 1e-6 (z of 6.2)."""
    streams = [words(native_testing, 2**16, **LANE | other) for other in [{}, *NEIGHBOURS]]
    for a, b in itertools.combinations(streams, 2):
        assert agreement(a[shift:], b[: b.size - shift]) < 6.2


def test_the_agreement_of_a_lane_with_itself_is_seen(native_testing):
    same = words(native_testing, 2**10, **LANE)
    assert agreement(same, same) > 100
    assert agreement(same, ~same) > 100

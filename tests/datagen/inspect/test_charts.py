"""Charts against counts made in a loop, and against areas."""

from collections import Counter
from random import Random

import pytest

from datagen.histogram import Sides, length_bins, percentile, round_width, share_bins
from datagen.inspect.charts import histogram
from datagen.inspect.collect import Reservoir
from datagen.inspect.treemap import Box, squarify, treemap
from tests.datagen.inspect.parsed import parse


def sides(accepted, rejected=()):
    return Sides(Counter(accepted), Counter(rejected))


def test_length_bins_hold_every_value_once_and_the_last_the_long_tail():
    rng = Random(0)
    accepted, rejected = (
        [rng.randrange(300) for _ in range(900)],
        [rng.randrange(300) for _ in range(100)],
    )
    bins = length_bins(sides([*accepted, 100_000], rejected))
    assert sum(b.accepted for b in bins) == 901
    assert sum(b.rejected for b in bins) == 100
    assert len(bins) <= 26
    assert bins[-1].label.endswith("+")
    width = int(bins[1].label)
    for place, found in enumerate(bins[:-1]):
        inside = [value for value in accepted if place * width <= value < (place + 1) * width]
        assert found.accepted == len(inside)


def test_share_bins_put_one_in_the_last():
    bins = share_bins(sides([0.0, 0.049, 0.05, 0.7], [1.0]))
    assert [b.accepted for b in bins][:2] == [2, 1]
    assert (bins[14].accepted, bins[14].label) == (1, "0.70")
    assert bins[-1].rejected == 1


def test_percentile_against_a_sorted_list():
    values = [Random(1).randrange(50) for _ in range(200)]
    assert percentile(Counter(values), 0.99) == sorted(values)[197]
    assert percentile(Counter(), 0.99) == 0


@pytest.mark.parametrize(
    ("least", "width"), [(0.04, 1), (1, 1), (1.2, 2), (3, 5), (6, 10), (41, 50), (501, 1000)]
)
def test_round_width(least, width):
    assert round_width(least) == width


def test_column_heights_are_in_proportion():
    page = parse(histogram(share_bins(sides([0.1] * 30, [0.1] * 10 + [0.9] * 20)), "test"))
    heights = {
        kind: [float(r["height"]) for r in page.named("rect") if r["class"] == kind]
        for kind in ("accepted", "rejected")
    }
    assert sum(heights["accepted"]) == pytest.approx(150 * 30 / 40)
    assert sorted(heights["rejected"])[-2:] == pytest.approx([150 * 10 / 40, 150 * 20 / 40])


def test_squarified_boxes_have_the_areas_asked_for_and_do_not_overlap():
    sizes = sorted((Random(2).randrange(1, 100) for _ in range(30)), reverse=True)
    boxes = squarify(sizes, Box(10, 20, 300, 200))
    for size, box in zip(sizes, boxes, strict=True):
        assert box.width * box.height == pytest.approx(size / sum(sizes) * 300 * 200)
        assert box.x >= 10 - 1e-9
        assert box.y >= 20 - 1e-9
    for one in boxes:
        for other in boxes:
            across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert one is other or across < 1e-6 or down < 1e-6


def test_squarified_example_of_the_paper():
    """Bruls et al., section 3.1: 6, 6, 4, 3, 2, 2, 1 in 6 by 4. Two boxes of 3 by 2 on the left,
    then 4 beside 3."""
    boxes = squarify([6, 6, 4, 3, 2, 2, 1], Box(0, 0, 6, 4))
    sizes = [(box.width, box.height) for box in boxes[:4]]
    assert sizes[:2] == [pytest.approx((3, 2))] * 2
    assert sizes[2:] == [pytest.approx((12 / 7, 7 / 3)), pytest.approx((9 / 7, 7 / 3))]


def test_treemap_draws_twenty_verbs_with_four_nouns_each_and_the_rest():
    pairs = Counter({(f"verb{v}", f"noun{n}"): 100 - v for v in range(25) for n in range(6)})
    page = parse(treemap(pairs))
    kinds = Counter(rect["class"] for rect in page.named("rect"))
    assert kinds == {"verb": 20, "noun": 80, "rest": 20}


def test_a_reservoir_is_uniform_and_in_order():
    drawn = Counter()
    for seed in range(2000):
        reservoir = Reservoir(5, Random(seed))
        for number in range(20):
            reservoir.add(number)
        assert list(reservoir) == sorted(reservoir)
        drawn.update(reservoir)
    assert drawn.total() == 2000 * 5
    expected = 2000 * 5 / 20  # standard deviation 19.4
    assert all(abs(count - expected) < 5 * 19.4 for count in drawn.values())

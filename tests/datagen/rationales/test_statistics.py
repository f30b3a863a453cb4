"""Accuracies counted by hand."""

from datagen.rationales.statistics import statistics


def chain(index, answer, gold, agreement, *, hinted=False):
    correct = None if gold is None or answer is None else answer == gold
    row = {"chain": index, "answer": answer, "gold": gold, "correct": correct}
    return row | {"agreement": agreement, "hinted": hinted}


def test_single_majority_and_solved_are_told_apart():
    items = [
        [
            chain(0, "7", "7", 0.5),
            chain(1, "8", "7", 0.5),
            chain(2, "7", "7", 0.5),
            chain(3, None, "7", 0.5),
        ],
        # rows come kept first: the order of drawing decides a tie
        [chain(1, "2", "2", 0.5), chain(0, "1", "2", 0.5), chain(2, "2", "2", 0.5, hinted=True)],
        [chain(0, "5", None, 1.0), {"question": "the answers-only row", "agreement": 1.0}],
        [{"question": "one that failed", "gold": "1"}],
    ]
    found = statistics(items)
    assert found["accuracy"] == {"questions": 2, "single": 0.5, "majority": 0.5, "solved": 1.0}
    assert found["agreement"] == {"mean": 0.6667, "histogram": [0, 0, 0, 0, 0, 2, 0, 0, 0, 1]}
    assert found["samples"] == round(7 / 3, 4)

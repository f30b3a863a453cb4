"""Selection of demonstrations as a small tool, without a run and without a teacher."""

from __future__ import annotations

from collections.abc import Sequence

from datagen.errors import UserError
from datagen.running import run_coroutine


def select_demonstrations(
    query: str,
    pool: Sequence[tuple[str, str]],
    k: int,
    strategy: str = "knn",
    *,
    seed: int = 0,
    balance: bool = False,
    encoder: str = "",
) -> list[int]:
    """Choose the examples to show before a query, and their order.

    An example with the query's own input is never chosen, because it would show the answer. Of two
    equal examples only the first can be chosen.

    Args:
        query: the input to be answered.
        pool: (input, output) of every example.
        k: how many examples to choose.
        strategy: random, bm25 (shared words), knn (nearest by embedding), votek (nearest among
            representatives of the pool) or dpp (near, and unlike each other).
        seed: of random choices.
        balance: choose no output more often than the others, as far as the pool allows.
        encoder: name of a sentence-transformers model. Default: a built-in encoder.

    Returns:
        Places in the pool, in the order to show them: the best example is the last, next to the
        query. `random` has no best one.

    Raises:
        UserError: the strategy is unknown or asks a teacher, or fewer than k examples can be shown.

    Source:
        KATE, arXiv 2101.06804 (knn); vote-k, arXiv 2209.01975; CEIL, arXiv 2302.05698 (dpp).

    Example:
        >>> import datagen
        >>> pool = [("3 plus 4", "7"), ("capital of France", "Paris"), ("9 plus 2", "11")]
        >>> datagen.select_demonstrations("5 plus 2", pool, k=2)
        [0, 2]
    """
    # numpy takes a while to import, so importing datagen does not
    from datagen.demonstrations.pools import Pool, example
    from datagen.demonstrations.selection.indexed import Indexed, SelectionSettings
    from datagen.demonstrations.selection.select import ASKING, check, select

    examples = tuple(example("pool", input, output) for input, output in pool)
    task = Pool("pool", examples, (), ())
    check(strategy, [task])
    if strategy in ASKING:
        raise UserError(
            f"strategy {strategy!r} asks a teacher: use generate_demonstrations for it, or a "
            "strategy that compares texts"
        )

    indexed = Indexed(task, SelectionSettings(seed=seed, balance=balance, encoder=encoder))
    chosen = run_coroutine(select(strategy, example("pool", query, ""), indexed, k))
    return list(chosen.indices)

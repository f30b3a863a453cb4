"""Cards: the pages that introduce a dataset or a model, rendered from lineage alone.

Nothing in a card is typed by hand.
"""

"""Cards: what a reader of a dataset or a model sees first, rendered from lineage; nothing in them
is typed by hand.
"""

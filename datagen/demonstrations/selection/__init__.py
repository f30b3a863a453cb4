"""How demonstrations are chosen for a query: the strategies, and the indexes that they search."""

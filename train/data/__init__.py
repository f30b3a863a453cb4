"""Reading dataset versions as the rows that a trainer needs."""

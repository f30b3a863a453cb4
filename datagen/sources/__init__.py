"""One reader for every file and dataset that a method starts from."""

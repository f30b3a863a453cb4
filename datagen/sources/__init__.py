"""Read the items that methods start from: records, tasks, instructions and rows."""

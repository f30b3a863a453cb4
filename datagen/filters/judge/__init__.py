"""A teacher as judge: it scores rows from 1 to 10 by a rubric."""

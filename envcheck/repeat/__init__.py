"""Whether it happens again: a run found, repeated, judged; two runs held against each other."""

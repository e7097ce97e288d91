"""What envcheck keeps for the next time: listed with sizes and last use, held against its digests, pruned."""

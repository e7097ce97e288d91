"""People that are drawn, to train on where there is no dataset: bodies, heads, ground, light, paint."""

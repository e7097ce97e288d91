"""Data sets and weights: known by a catalogue, fetched by digest, laid out as the configs expect them."""

"""What a log says of known failures: read in blocks, searched for every symptom, told cause first."""

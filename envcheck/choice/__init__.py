"""Which recipe and which build: rules and wishes become a choice, for one machine or for many."""

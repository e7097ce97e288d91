"""Knowledge that renews itself: a torch wheel, read without running it, as a row of the table."""

"""From heat maps to joints, and from joints to the numbers by which a dataset judges them."""

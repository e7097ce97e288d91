"""What people look at while and after a network works: tables, lines, curves and drawn skeletons."""

"""Somebody's own pictures, folders and videos: what comes in, who is found, and the documents of it."""

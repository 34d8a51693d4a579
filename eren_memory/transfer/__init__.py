"""Notes out to files and in again, without loss; a file that was imported in part is imported again."""

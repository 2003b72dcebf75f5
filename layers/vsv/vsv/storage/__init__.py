"""Where slides and their images lie: EFS, a bucket of pyramids, the archive."""

"""Learning: transcripts in, a bundle out."""

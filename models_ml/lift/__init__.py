"""What contacts bring: differences of arms and of options drawn by lot, each with its interval or why there is none."""

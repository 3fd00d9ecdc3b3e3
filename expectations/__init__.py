"""Great Expectations suites as Python, and the one place that opens a context."""

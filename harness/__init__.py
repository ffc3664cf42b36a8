"""What the demo, the tests and the benchmarks share: traffic, models, watches and fakes."""

"""Estimates of scale and cost: they compute, where `benchmarks` measure."""

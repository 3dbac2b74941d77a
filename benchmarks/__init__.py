"""What the figures in `docs/performance.md` are measured with."""

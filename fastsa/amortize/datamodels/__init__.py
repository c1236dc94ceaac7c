"""Networks and regressions that tell what a training point does to a validation point."""

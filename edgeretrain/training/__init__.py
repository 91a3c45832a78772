"""Photos to proven models in a run folder: `retrain`, and `teach` from an earlier run."""
